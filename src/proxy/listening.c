#include "proxy/listening.h"

#include <assert.h>
#include <netinet/in.h>
#include <unistd.h>

#include "io/listener.h"
#include "proxy/given_sockets.h"

static bool is_any(const struct addr *a)
{
	return a->any.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->ip6.sin6_addr)
					    : a->ip4.sin_addr.s_addr == htonl(INADDR_ANY);
}

/* The kernel would say of a socket of our own that the port is in use. */
static bool may_overlap(const struct addr *a, const struct addr *b)
{
	char a_ip[ADDR_TEXT_MAX];
	char b_ip[ADDR_TEXT_MAX];

	if (addr_port(a) != addr_port(b))
		return false;
	addr_format_ip(a, a_ip);
	addr_format_ip(b, b_ip);
	return is_any(a) || is_any(b) || str_equal(str_from(a_ip), str_from(b_ip));
}

static int bind_more(struct listening *l, size_t count, struct err *e)
{
	while (l->count < count) {
		int fd = listener_bind(&l->address, true, e);

		if (fd < 0) {
			listening_done(l);
			return -1;
		}
		l->fds[l->count++] = fd;
		/* The kernel chose the port of the first: the others join it. */
		listener_bound_address(fd, &l->address);
	}
	return 0;
}

int listening_open(struct listening *l, const struct addr *address, size_t count,
		   const struct addr *own, struct err *e)
{
	*l = (struct listening){ .address = *address };
	assert(count <= CONFIG_WORKERS_MAX);
	if (!(own && may_overlap(address, own)) && listener_check_free(address, e) < 0)
		return -1;
	return bind_more(l, count, e);
}

static void hand_to_first(struct listening *l, int fd, size_t count)
{
	l->is_activated = true;
	l->fds[l->count++] = fd;
	while (l->count < count)
		l->fds[l->count++] = -1;
}

int listening_open_given(struct listening *l, struct given_sockets *given,
			 const struct addr *address, size_t count, struct err *e)
{
	size_t activated = given_sockets_count(given, SOCKET_MAIN, true);
	struct addr before;
	int fd = -1;

	*l = (struct listening){ .address = *address };
	if (activated > 1)
		return err_set(e, ERR_CONFIG,
			       "socket activation gives %zu sockets for the main address, and one "
			       "can be served: name the others \"health\" or \"redirect\"",
			       activated);
	if (activated == 1) {
		fd = given_sockets_take(given, SOCKET_MAIN, address, &l->address);
		hand_to_first(l, fd, count);
		return 0;
	}
	while (l->count < count &&
	       (fd = given_sockets_take(given, SOCKET_MAIN, address, &l->address)) >= 0)
		l->fds[l->count++] = fd;
	if (l->count > 0)
		return bind_more(l, count, e);
	return listening_open(l, address, count,
			      given_sockets_address(given, SOCKET_MAIN, &before) ? &before : NULL,
			      e);
}

int listening_take(struct listening *l, size_t index)
{
	int fd = l->fds[index];

	assert(index < l->count && (fd >= 0 || l->is_activated));
	l->fds[index] = -1;
	return fd;
}

void listening_done(struct listening *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->fds[i] >= 0)
			(void)close(l->fds[i]); /* nobody was served yet */
	l->count = 0;
}
