#include "cli/local_listener.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "cli/events.h"
#include "io/listener.h"
#include "io/listener_unix.h"

#define UNIX_PREFIX "unix:"

struct local_listener {
	struct listener *tcp; /* one of the two */
	struct listener_unix *local;
	const char *path;
	const struct events *events;
	void (*on_accept)(void *arg, struct stream *stream);
	void *arg;
};

int local_address_parse(const char *text, struct local_address *ret, struct err *e)
{
	struct str whole = str_from(text);

	*ret = (struct local_address){ 0 };
	if (!str_starts_with(whole, STR(UNIX_PREFIX)))
		return addr_parse_listen(whole, &ret->ip, e);
	ret->path = text + strlen(UNIX_PREFIX);
	if (ret->path[0] != '/')
		return err_set(e, ERR_CONFIG, "write the whole path of the socket: unix:/path");
	return 0;
}

static void on_tcp(void *arg, struct stream *stream, const struct addr *peer)
{
	struct local_listener *l = arg;

	l->on_accept(l->arg, stream);
}

static void on_tcp_problem(void *arg, const struct err *e, unsigned shed_count)
{
	const struct local_listener *l = arg;

	events_warning(l->events, "cannot accept connections", e);
}

static void on_unix(void *arg, struct stream *stream, uid_t peer)
{
	struct local_listener *l = arg;

	l->on_accept(l->arg, stream);
}

void local_listener_warn(const struct events *events, const struct addr *address)
{
	char ip[ADDR_TEXT_MAX];
	struct err e;

	addr_format_ip(address, ip);
	if (host_is_loopback(str_from(ip)))
		return;
	err_set(&e, ERR_CONFIG, "%s is not an address of this machine alone", ip);
	events_warning(events, "other machines can use the tunnel with your login", &e);
}

static int open_tcp(struct local_listener *l, struct loop *loop, const struct addr *address,
		    struct err *e)
{
	static const struct listener_events events = { .on_accept = on_tcp,
						       .on_problem = on_tcp_problem };

	l->tcp = listener_open(loop, address, false, &events, l, e);
	if (!l->tcp)
		return -1;
	local_listener_warn(l->events, address);
	return 0;
}

static int open_unix(struct local_listener *l, struct loop *loop, struct err *e)
{
	l->local = listener_unix_open(loop, l->path, on_unix, l, e);
	return l->local ? 0 : -1;
}

struct local_listener *local_listener_open(struct loop *loop, const struct local_address *address,
					   const struct events *events,
					   void (*on_accept)(void *arg, struct stream *stream),
					   void *arg, struct err *e)
{
	struct local_listener *l = mem_alloc(sizeof(*l));
	int rc;

	*l = (struct local_listener){
		.path = address->path, .events = events, .on_accept = on_accept, .arg = arg
	};
	rc = l->path ? open_unix(l, loop, e) : open_tcp(l, loop, &address->ip, e);
	if (rc == 0)
		return l;
	mem_free(l);
	return NULL;
}

void local_listener_format(const struct local_listener *l, char out[LOCAL_LISTENER_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];
	struct addr bound;

	if (l->path) {
		(void)snprintf(out, LOCAL_LISTENER_TEXT_MAX, UNIX_PREFIX "%s", l->path);
		return;
	}
	listener_address(l->tcp, &bound);
	addr_format(&bound, text);
	(void)snprintf(out, LOCAL_LISTENER_TEXT_MAX, "%s", text);
}

void local_listener_close(struct local_listener *l)
{
	if (!l)
		return;
	if (l->tcp)
		listener_close(TAKE(l->tcp));
	listener_unix_close(TAKE(l->local));
	mem_free(l);
}
