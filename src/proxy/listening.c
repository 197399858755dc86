#include "proxy/listening.h"

#include <assert.h>
#include <netinet/in.h>
#include <unistd.h>

#include "io/listener.h"

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

int listening_open(struct listening *l, const struct addr *address, size_t count,
		   const struct addr *own, struct err *e)
{
	*l = (struct listening){ .address = *address };
	assert(count <= CONFIG_WORKERS_MAX);
	if (!(own && may_overlap(address, own)) && listener_check_free(address, e) < 0)
		return -1;
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

int listening_take(struct listening *l, size_t index)
{
	int fd = l->fds[index];

	assert(index < l->count && fd >= 0);
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
