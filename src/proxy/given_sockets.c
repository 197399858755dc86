#include "proxy/given_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/listener.h"

#define LISTEN_FDS_START 3

static const char *const names[] = {
	[SOCKET_MAIN] = "main",
	[SOCKET_HEALTH] = "health",
	[SOCKET_REDIRECT] = "redirect",
	[SOCKET_METRICS] = "metrics",
};

const char *socket_purpose_name(enum socket_purpose purpose)
{
	return names[purpose];
}

static enum socket_purpose purpose_of(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_equal(name, str_from(names[i])))
			return (enum socket_purpose)i;
	return SOCKET_MAIN;
}

/* ---- what came ---- */

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

static int check(const struct given_socket *s, struct err *e)
{
	int domain = option_of(s->fd, SO_DOMAIN);

	if (domain < 0)
		return err_set(e, ERR_CONFIG, "descriptor %d, which was given as %s, is no socket",
			       s->fd, names[s->purpose]);
	if ((domain != AF_INET && domain != AF_INET6) || option_of(s->fd, SO_TYPE) != SOCK_STREAM ||
	    option_of(s->fd, SO_ACCEPTCONN) != 1)
		return err_set(e, ERR_CONFIG,
			       "descriptor %d, which was given as %s, is no listening TCP socket",
			       s->fd, names[s->purpose]);
	return 0;
}

int given_sockets_add(struct given_sockets *g, const struct given_socket *s, struct err *e)
{
	int flags;

	if (check(s, e) < 0)
		return -1;
	if (g->count == GIVEN_SOCKETS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d sockets were given", GIVEN_SOCKETS_MAX);
	flags = fcntl(s->fd, F_GETFL);
	if (fcntl(s->fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_errno(e, errno, "setting up descriptor %d", s->fd);
	g->items[g->count++] = *s;
	return 0;
}

static bool is_for_us(const char *pid)
{
	uint64_t number;

	return pid && str_to_uint64(str_from(pid), &number) && number == (uint64_t)getpid();
}

static int receive(struct given_sockets *g, const char *count, const char *fd_names, struct err *e)
{
	struct str rest = str_from(fd_names);
	uint64_t number;

	if (!count || !str_to_uint64(str_from(count), &number) || number > GIVEN_SOCKETS_MAX)
		return err_set(e, ERR_CONFIG, "LISTEN_FDS: \"%s\" is no number of sockets",
			       count ? count : "");
	for (int i = 0; i < (int)number; i++) {
		struct given_socket s = { .fd = LISTEN_FDS_START + i, .is_activated = true };
		struct str name = { 0 };

		(void)str_cut(&rest, ':', &name); /* there may be fewer names, or none */
		s.purpose = purpose_of(name);
		if (given_sockets_add(g, &s, e) < 0)
			return err_wrap(e, "socket activation");
	}
	return 0;
}

int given_sockets_receive(struct given_sockets *g, struct err *e)
{
	int result = 0;

	if (is_for_us(getenv("LISTEN_PID")))
		result = receive(g, getenv("LISTEN_FDS"), getenv("LISTEN_FDNAMES"), e);
	(void)unsetenv("LISTEN_PID"); /* the name is good */
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return result;
}

/* ---- from one process to the next ---- */

void given_sockets_write(const struct given_sockets *g, int first, struct buf *out)
{
	for (size_t i = 0; i < g->count; i++)
		(void)buf_printf(out, "%s%d:%s%s", i ? "," : "", first + (int)i,
				 names[g->items[i].purpose], g->items[i].is_activated ? "+" : "");
}

int given_sockets_read(struct given_sockets *g, struct str list, struct err *e)
{
	struct str item;

	while (!str_is_empty(list) && str_cut(&list, ',', &item)) {
		struct given_socket s = { 0 };
		struct str number;
		uint64_t fd;

		if (!str_cut(&item, ':', &number) || !str_to_uint64(number, &fd) || fd > INT32_MAX)
			return err_set(e, ERR_CONFIG, "the list of sockets is broken");
		s.fd = (int)fd;
		s.is_activated = str_ends_with(item, STR("+"));
		s.purpose = purpose_of(str_first(item, item.len - s.is_activated));
		if (given_sockets_add(g, &s, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- taking ---- */

static bool is_any(const struct addr *a)
{
	return a->any.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->ip6.sin6_addr)
					    : a->ip4.sin_addr.s_addr == htonl(INADDR_ANY);
}

/* Without IPv6 the any-address that is bound is not the one that was asked for. */
bool given_socket_fits(const struct addr *bound, const struct addr *wanted)
{
	char bound_ip[ADDR_TEXT_MAX];
	char wanted_ip[ADDR_TEXT_MAX];

	if (addr_port(wanted) != 0 && addr_port(wanted) != addr_port(bound))
		return false;
	if (is_any(bound) && is_any(wanted))
		return true;
	addr_format_ip(bound, bound_ip);
	addr_format_ip(wanted, wanted_ip);
	return str_equal(str_from(bound_ip), str_from(wanted_ip));
}

size_t given_sockets_count(const struct given_sockets *g, enum socket_purpose purpose,
			   bool is_activated)
{
	size_t count = 0;

	for (size_t i = 0; i < g->count; i++)
		count += g->items[i].fd >= 0 && g->items[i].purpose == purpose &&
			 g->items[i].is_activated == is_activated;
	return count;
}

bool given_sockets_address(const struct given_sockets *g, enum socket_purpose purpose,
			   struct addr *ret)
{
	for (size_t i = 0; i < g->count; i++) {
		if (g->items[i].fd < 0 || g->items[i].purpose != purpose)
			continue;
		listener_bound_address(g->items[i].fd, ret);
		return true;
	}
	return false;
}

int given_sockets_take(struct given_sockets *g, enum socket_purpose purpose,
		       const struct addr *wanted, struct addr *ret_bound)
{
	for (int activated = 1; activated >= 0; activated--) {
		for (size_t i = 0; i < g->count; i++) {
			struct given_socket *s = &g->items[i];
			struct addr bound;
			int fd = s->fd;

			if (fd < 0 || s->purpose != purpose || s->is_activated != activated)
				continue;
			listener_bound_address(fd, &bound);
			if (!activated && !given_socket_fits(&bound, wanted))
				continue;
			s->fd = -1;
			*ret_bound = bound;
			return fd;
		}
	}
	return -1;
}

void given_sockets_done(struct given_sockets *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->items[i].fd >= 0)
			(void)close(g->items[i].fd); /* we have served nobody with it */
	g->count = 0;
}
