#pragma once

/*
 * udp.h - a datagram socket on the loop
 *
 * Packets are lost: what the kernel does not take at once is dropped, and what an earlier packet caused elsewhere (a closed
 * port, no way there) is no failure of the socket.
 *
 * Ownership  Embedded in its user, who closes it; the memory around it is released through loop_free_later().
 * Threads    That of the loop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#define UDP_PACKET_MAX 65535

/* Asked for; the system may give less. */
#define UDP_BUFFER_SIZE (1u << 20)

struct udp_socket {
	struct watch watch;
	bool is_connected;
	/* There may be packets. Comes after udp_receive() has said that there are none. */
	void (*on_readable)(struct udp_socket *s);
};

/* Receives from anybody at that address. */
int udp_bind(struct udp_socket *s, struct loop *loop, const struct addr *address, struct err *e);

/* Sends to that peer and receives from nobody else. */
int udp_connect(struct udp_socket *s, struct loop *loop, const struct addr *peer, struct err *e);

/* Idempotent; silence afterwards. A zeroed one was never open. */
void udp_close(struct udp_socket *s);

/* Where it is bound. */
void udp_address(const struct udp_socket *s, struct addr *ret);

/* One packet, cut off if it is longer than len. STREAM_AGAIN (-1): there is none. ret_from may be NULL. */
ssize_t udp_receive(struct udp_socket *s, void *to, size_t len, struct addr *ret_from);

/* to: NULL for a connected one. False: dropped. */
bool udp_send(struct udp_socket *s, struct str packet, const struct addr *to);
