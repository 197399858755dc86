/*
 * socks5.c - three short messages, each answered by one of known length
 *
 * A state says which answer is awaited, and `wanted` how many of its bytes; the reply to the request grows twice, when
 * its address type and the length of a name have come.
 */

#include "io/socks5.h"

#include <assert.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/stream.h"

#define VERSION          5
#define METHOD_NONE      0
#define METHOD_PASSWORD  2
#define METHOD_REFUSED   0xff
#define PASSWORD_VERSION 1
#define COMMAND_CONNECT  1
#define TYPE_IP4         1
#define TYPE_NAME        3
#define TYPE_IP6         4

#define REPLY_MAX   (5 + SOCKS5_TEXT_MAX + 2)
#define MESSAGE_MAX (3 + 2 * SOCKS5_TEXT_MAX + 8)

enum socks5_state { AWAITS_METHOD, AWAITS_PASSWORD_REPLY, AWAITS_REPLY, AWAITS_REST };

struct socks5 {
	struct loop *loop;
	struct stream *stream;
	struct timer timer;
	struct later later;
	enum socks5_state state;
	struct buf out;              /* may hold the password */
	struct buf password_message; /* empty: not offered */
	struct buf request_message;
	uint8_t in[REPLY_MAX];
	size_t in_len;
	size_t wanted;
	struct err start_error; /* ERR_NONE: the request can be sent */
	bool is_over;
	void (*on_done)(void *arg, struct stream *stream, const struct err *e);
	void *arg;
};

static const char *const reply_texts[] = {
	[1] = "it has a general failure",
	[2] = "its rules do not allow the connection",
	[3] = "the network is unreachable from there",
	[4] = "the host is unreachable from there",
	[5] = "the connection was refused",
	[6] = "the connection timed out there",
	[7] = "it does not support such requests",
	[8] = "it does not support this kind of address",
};

static void release(struct socks5 *s)
{
	s->is_over = true;
	timer_cancel(&s->timer);
	later_cancel(&s->later);
	stream_close(TAKE(s->stream), STREAM_CLOSE_NORMAL);
	buf_done_secret(&s->out);
	buf_done_secret(&s->password_message);
	buf_done(&s->request_message);
	loop_free_later(s->loop, s);
}

void socks5_cancel(struct socks5 *s)
{
	if (s && !s->is_over)
		release(s);
}

static void ignore_event(void *arg, unsigned events)
{
}

/* The last thing that happens; the error may be the stream's own, which goes with the stream. */
static void finish(struct socks5 *s, const struct err *e)
{
	const struct err copy = e ? *e : (struct err){ 0 };
	struct stream *stream = NULL;

	s->is_over = true;
	timer_cancel(&s->timer);
	if (!e) {
		stream = TAKE(s->stream);
		stream_set_owner(stream, ignore_event, NULL);
	}
	s->on_done(s->arg, stream, e ? &copy : NULL);
	release(s);
}

static void fail(struct socks5 *s, enum err_kind kind, const char *sentence)
{
	struct err e;

	(void)err_set(&e, kind, "%s", sentence);
	finish(s, &e);
}

static void await(struct socks5 *s, enum socks5_state state, size_t wanted)
{
	s->state = state;
	s->wanted = wanted;
}

/* ---- answers ---- */

static void send_request(struct socks5 *s)
{
	s->in_len = 0;
	(void)buf_append_str(&s->out, buf_view(&s->request_message)); /* fits */
	await(s, AWAITS_REPLY, 5);
}

static void take_method(struct socks5 *s)
{
	uint8_t method = s->in[1];

	if (s->in[0] != VERSION) {
		fail(s, ERR_PROTOCOL, "it does not speak SOCKS version 5");
	} else if (method == METHOD_NONE) {
		send_request(s);
	} else if (method == METHOD_PASSWORD && s->password_message.len > 0) {
		s->in_len = 0;
		(void)buf_append_str(&s->out, buf_view(&s->password_message)); /* fits */
		await(s, AWAITS_PASSWORD_REPLY, 2);
	} else if (method == METHOD_REFUSED && s->password_message.len > 0) {
		fail(s, ERR_PROTOCOL,
		     "it wants another authentication than with user and password");
	} else if (method == METHOD_REFUSED) {
		fail(s, ERR_PROTOCOL, "it asks for a user and a password");
	} else {
		fail(s, ERR_PROTOCOL, "it chose an authentication that was not offered");
	}
}

static void take_password_reply(struct socks5 *s)
{
	if (s->in[0] != PASSWORD_VERSION)
		fail(s, ERR_PROTOCOL, "it sent a malformed answer");
	else if (s->in[1] != 0)
		fail(s, ERR_PROTOCOL, "it does not accept the user and the password");
	else
		send_request(s);
}

static void refuse(struct socks5 *s, uint8_t code)
{
	bool is_known = code < ARRAY_LEN(reply_texts) && reply_texts[code];

	fail(s, code == 5 ? ERR_REFUSED : ERR_UNREACHABLE,
	     is_known ? reply_texts[code] : "it refused for a reason of its own");
}

/* The bound address is of no interest, but it has to be read. */
static void take_reply(struct socks5 *s)
{
	size_t address_len;

	if (s->in[0] != VERSION || s->in[2] != 0) {
		fail(s, ERR_PROTOCOL, "it sent a malformed answer");
		return;
	}
	if (s->in[1] != 0) {
		refuse(s, s->in[1]);
		return;
	}
	switch (s->in[3]) {
	case TYPE_IP4:
		address_len = 4;
		break;
	case TYPE_IP6:
		address_len = 16;
		break;
	case TYPE_NAME:
		address_len = 1 + (size_t)s->in[4];
		break;
	default:
		fail(s, ERR_PROTOCOL, "it sent a malformed answer");
		return;
	}
	await(s, AWAITS_REST, 4 + address_len + 2);
}

static void take_answer(struct socks5 *s)
{
	switch (s->state) {
	case AWAITS_METHOD:
		take_method(s);
		return;
	case AWAITS_PASSWORD_REPLY:
		take_password_reply(s);
		return;
	case AWAITS_REPLY:
		take_reply(s);
		return;
	case AWAITS_REST:
		finish(s, NULL);
		return;
	}
}

/* ---- driving ---- */

/* False when there is nothing to do until an event comes, or ever. */
static bool write_out(struct socks5 *s)
{
	ssize_t put = stream_write(s->stream, s->out.data, s->out.len);

	if (put == STREAM_FAILED)
		finish(s, stream_error(s->stream));
	if (put <= 0)
		return false;
	buf_consume(&s->out, (size_t)put);
	return true;
}

static bool read_in(struct socks5 *s)
{
	ssize_t got;

	assert(s->wanted > s->in_len && s->wanted <= sizeof(s->in));
	got = stream_read(s->stream, s->in + s->in_len, s->wanted - s->in_len);
	if (got == STREAM_FAILED)
		finish(s, stream_error(s->stream));
	else if (got == STREAM_END)
		fail(s, ERR_CLOSED, "it closed the connection before its answer was complete");
	if (got <= 0)
		return false;
	s->in_len += (size_t)got;
	if (s->in_len == s->wanted)
		take_answer(s);
	return true;
}

/* Ends: the messages are few and bounded. */
static void drive(struct socks5 *s)
{
	bool goes_on = true;

	if (s->start_error.kind != ERR_NONE) {
		finish(s, &s->start_error);
		return;
	}
	while (goes_on && !s->is_over)
		goes_on = s->out.len > 0 ? write_out(s) : read_in(s);
}

static void on_later(struct later *later)
{
	drive(container_of(later, struct socks5, later));
}

static void on_stream_event(void *arg, unsigned events)
{
	struct socks5 *s = arg;

	if (!s->is_over)
		drive(s);
}

static void on_due(struct timer *timer)
{
	fail(container_of(timer, struct socks5, timer), ERR_TIMEOUT, "it did not answer in time");
}

/* ---- messages ---- */

static void append_text(struct buf *out, struct str text)
{
	(void)buf_append_char(out, (char)(unsigned char)text.len); /* all buffers have room */
	(void)buf_append_str(out, text);
}

static void append_address(struct buf *out, struct str host, uint16_t port)
{
	const uint8_t port_bytes[] = { (uint8_t)(port >> 8), (uint8_t)(port & 0xff) };
	struct addr ip;

	if (!addr_from_ip(host, port, &ip)) {
		(void)buf_append_char(out, TYPE_NAME);
		append_text(out, host);
	} else if (ip.any.sa_family == AF_INET) {
		(void)buf_append_char(out, TYPE_IP4);
		(void)buf_append(out, &ip.ip4.sin_addr, sizeof(ip.ip4.sin_addr));
	} else {
		(void)buf_append_char(out, TYPE_IP6);
		(void)buf_append(out, &ip.ip6.sin6_addr, sizeof(ip.ip6.sin6_addr));
	}
	(void)buf_append(out, port_bytes, sizeof(port_bytes));
}

static void write_messages(struct socks5 *s, const struct socks5_request *request)
{
	const char greeting[] = { VERSION, 1, METHOD_NONE };
	const char greeting_with_password[] = { VERSION, 2, METHOD_NONE, METHOD_PASSWORD };
	const char request_begin[] = { VERSION, COMMAND_CONNECT, 0 };

	if (str_is_empty(request->user)) {
		(void)buf_append(&s->out, greeting, sizeof(greeting));
	} else {
		(void)buf_append(&s->out, greeting_with_password, sizeof(greeting_with_password));
		(void)buf_append_char(&s->password_message, PASSWORD_VERSION);
		append_text(&s->password_message, request->user);
		append_text(&s->password_message, request->password);
	}
	(void)buf_append(&s->request_message, request_begin, sizeof(request_begin));
	append_address(&s->request_message, request->host, request->port);
}

static int check(const struct socks5_request *request, struct err *e)
{
	if (str_is_empty(request->host) || request->host.len > SOCKS5_TEXT_MAX)
		return err_set(e, ERR_CONFIG, "the name of the host does not fit into a request");
	if (request->user.len > SOCKS5_TEXT_MAX || request->password.len > SOCKS5_TEXT_MAX)
		return err_set(e, ERR_CONFIG, "user and password may have %d bytes each",
			       SOCKS5_TEXT_MAX);
	return 0;
}

struct socks5 *socks5_start(struct loop *loop, struct stream *stream,
			    const struct socks5_request *request,
			    void (*on_done)(void *arg, struct stream *stream, const struct err *e),
			    void *arg)
{
	struct socks5 *s = mem_alloc(sizeof(*s));

	*s = (struct socks5){ .loop = loop,
			      .stream = stream,
			      .out = BUF_INIT(MESSAGE_MAX),
			      .password_message = BUF_INIT(MESSAGE_MAX),
			      .request_message = BUF_INIT(MESSAGE_MAX),
			      .on_done = on_done,
			      .arg = arg };
	await(s, AWAITS_METHOD, 2);
	if (check(request, &s->start_error) == 0)
		write_messages(s, request);
	stream_set_owner(stream, on_stream_event, s);
	timer_start(&s->timer, loop, loop_now_ms(loop) + request->timeout_ms, on_due);
	later_start(&s->later, loop, on_later);
	return s;
}
