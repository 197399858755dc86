/*
 * fuzz_socks5_server.c - what a local program says to the SOCKS5 side of `proxy`
 *
 * Properties: in whatever pieces it comes the outcome is the same, byte for byte of the reply; what is taken for a target is
 * one that CONNECT takes; the messages never grow behind their limits.
 */

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/url.h"
#include "cli/socks5_server.h"
#include "tests/fuzz/fuzz.h"

#define REPLY_MAX 64

struct conversation {
	struct socks5_server server;
	struct buf in;
	struct buf reply;
	enum socks5_event end; /* MORE: it waits for more */
};

static void converse(struct conversation *c, struct str input, size_t piece)
{
	*c = (struct conversation){ .in = BUF_INIT(SOCKS5_SERVER_MESSAGE_MAX),
				    .reply = BUF_INIT(REPLY_MAX) };
	while (input.len > 0 && c->end == SOCKS5_MORE) {
		size_t room = SOCKS5_SERVER_MESSAGE_MAX - c->in.len;
		size_t len = input.len < piece ? input.len : piece;

		/* What is whole is taken, and the limit is a message's: there is always room. */
		assert(room > 0);
		len = len < room ? len : room;
		assert(buf_append(&c->in, input.at, len) == 0);
		input = str_from_pos(input, len);
		c->end = socks5_server_feed(&c->server, &c->in, &c->reply);
	}
}

static void done(struct conversation *c)
{
	buf_done(&c->in);
	buf_done(&c->reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);
	struct conversation whole;
	struct conversation bytes;
	struct authority authority;

	converse(&whole, input, size);
	converse(&bytes, input, 1);
	assert(whole.end == bytes.end);
	assert(str_equal(buf_view(&whole.reply), buf_view(&bytes.reply)));
	assert(whole.server.has_greeting == bytes.server.has_greeting);
	if (whole.end == SOCKS5_REQUEST) {
		assert(strcmp(whole.server.target, bytes.server.target) == 0);
		assert(authority_parse_connect(str_from(whole.server.target), &authority, NULL) ==
		       0);
		assert(authority.port > 0);
	}
	done(&whole);
	done(&bytes);
	return 0;
}
