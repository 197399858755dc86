/*
 * The sockets themselves, before and beside any loop.
 *
 * Retiring without a reset: a connection is made by the kernel, long before it is accepted, and what is in the making when the
 * socket closes is reset. So new ones are kept from beginning, by a filter on the socket that drops SYN segments; those in the
 * making come to their end and are accepted; then the socket can go. A client whose SYN was dropped sends it again after a
 * second and finds whoever listens then.
 */

#include "io/listener_bind.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/listener.h"

#define TCP_FLAGS_OFFSET 13
#define TCP_FLAG_SYN     2

static bool is_ip6_any(const struct addr *address)
{
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&address->ip6.sin6_addr);
}

static int set_bind_options(int fd, const struct addr *address, bool shares_port)
{
	int on = 1;
	int only_ip6 = !is_ip6_any(address);

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -1;
	if (shares_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return -1;
	if (address->any.sa_family != AF_INET6)
		return 0;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ip6, sizeof(only_ip6));
}

/* A bound and listening descriptor, or -1 and errno. */
static int bind_address(const struct addr *address, bool shares_port)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int errnum = 0;

	if (fd < 0)
		return -1;
	if (set_bind_options(fd, address, shares_port) == 0 &&
	    bind(fd, &address->any, addr_len(address)) == 0 && listen(fd, LISTENER_BACKLOG) == 0)
		return fd;
	errnum = errno;
	close(fd);
	errno = errnum;
	return -1;
}

int listener_bind(const struct addr *address, bool shares_port, struct err *e)
{
	char text[ADDR_TEXT_MAX];
	int fd = bind_address(address, shares_port);

	if (fd < 0 && is_ip6_any(address) && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
		struct addr ip4_any = { 0 };

		(void)addr_from_ip(STR("0.0.0.0"), addr_port(address), &ip4_any);
		fd = bind_address(&ip4_any, shares_port);
	}
	if (fd < 0) {
		int errnum = errno;

		addr_format(address, text);
		return err_errno(e, errnum, "cannot listen on %s", text);
	}
	return fd;
}

void listener_bound_address(int fd, struct addr *ret)
{
	socklen_t len = sizeof(*ret);

	*ret = (struct addr){ 0 };
	/* Cannot fail on a socket that is bound. */
	(void)getsockname(fd, &ret->any, &len);
}

bool listener_refuse_new(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_FLAG_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

int listener_check_free(const struct addr *address, struct err *e)
{
	int fd = -1;

	if (addr_port(address) == 0)
		return 0;
	fd = listener_bind(address, false, e);
	if (fd < 0) {
		if (e)
			e->kind = ERR_SYSTEM;
		return -1;
	}
	close(fd);
	return 0;
}
