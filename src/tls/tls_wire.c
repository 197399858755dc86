#include "tls/tls_wire.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "io/loop.h"

/*
 * OpenSSL takes single records from `in` and puts single records into `out`; the lower stream sees only whole
 * batches. A batch lives in a block borrowed from the loop while an operation runs; what is left at its end
 * moves to an allocation of that size, so that a slow peer costs what it has outstanding and an idle one nothing.
 *
 * OpenSSL is refused (a retry) when `in` is empty or `out` is full. Application data is offered only when its
 * record fits, so a refused write can only be a message of the protocol itself, which OpenSSL keeps.
 */

/* header, authentication tag, content type, and an answer to a key update that may go first */
#define RECORD_OVERHEAD 512

static void batch_release(struct tls_batch *batch, struct loop *loop)
{
	if (batch->is_block)
		loop_block_put(loop, batch->data);
	else
		mem_free(batch->data);
	*batch = (struct tls_batch){ 0 };
}

static void batch_settle(struct tls_batch *batch, struct loop *loop)
{
	size_t left = batch->len - batch->at;
	uint8_t *rest;

	if (!batch->data || (!batch->is_block && left > 0))
		return;
	rest = left > 0 ? mem_copy(batch->data + batch->at, left) : NULL;
	batch_release(batch, loop);
	batch->data = rest;
	batch->len = left;
}

/* Room for len bytes at the end of `out`, or less if the block is full. */
static size_t make_room(struct tls_wire *wire, size_t len)
{
	struct tls_batch *out = &wire->out;
	size_t room;

	if (!out->is_block) {
		struct tls_batch old = *out;

		*out = (struct tls_batch){ .data = loop_block_get(wire->loop), .is_block = true };
		out->len = old.len - old.at;
		if (out->len > 0)
			memcpy(out->data, old.data + old.at, out->len);
		mem_free(old.data);
	}
	room = LOOP_BLOCK_ROOM - out->len;
	return len < room ? len : room;
}

static int bio_write(BIO *bio, const char *from, size_t len, size_t *ret_len)
{
	struct tls_wire *wire = BIO_get_data(bio);
	size_t accepted = wire->is_deaf ? len : make_room(wire, len);

	BIO_clear_retry_flags(bio);
	if (accepted == 0 && len > 0) {
		BIO_set_retry_write(bio);
		return 0;
	}
	if (!wire->is_deaf) {
		memcpy(wire->out.data + wire->out.len, from, accepted);
		wire->out.len += accepted;
	}
	*ret_len = accepted;
	return 1;
}

static int bio_read(BIO *bio, char *to, size_t len, size_t *ret_len)
{
	struct tls_wire *wire = BIO_get_data(bio);
	struct tls_batch *in = &wire->in;
	size_t there = in->len - in->at;

	BIO_clear_retry_flags(bio);
	if (there == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	if (len > there)
		len = there;
	memcpy(to, in->data + in->at, len);
	in->at += len;
	*ret_len = len;
	return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

BIO_METHOD *tls_wire_bio_method_new(void)
{
	/* no index of its own: those are numbered by the process and never come back, configs come and go */
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tls_wire");

	assert(method); /* only memory can be lacking */
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_ctrl(method, bio_ctrl);
	BIO_meth_set_create(method, bio_create);
	return method;
}

ssize_t tls_wire_fill(struct tls_wire *wire)
{
	struct tls_batch *in = &wire->in;
	ssize_t n;

	assert(in->at == in->len);
	if (!in->is_block) {
		batch_release(in, wire->loop);
		*in = (struct tls_batch){ .data = loop_block_get(wire->loop), .is_block = true };
	}
	in->at = 0;
	in->len = 0;
	n = stream_read(wire->lower, in->data, LOOP_BLOCK_SIZE);
	if (n > 0)
		in->len = (size_t)n;
	return n;
}

int tls_wire_flush(struct tls_wire *wire)
{
	struct tls_batch *out = &wire->out;

	while (out->at < out->len) {
		ssize_t n = stream_write(wire->lower, out->data + out->at, out->len - out->at);

		if (n < 0) {
			wire->is_blocked = n == STREAM_AGAIN;
			return (int)n;
		}
		out->at += (size_t)n;
	}
	wire->is_blocked = false;
	out->at = 0;
	out->len = 0;
	return 1;
}

bool tls_wire_has_room(const struct tls_wire *wire, size_t plaintext_len)
{
	size_t used = wire->out.len - (wire->out.is_block ? 0 : wire->out.at);

	return LOOP_BLOCK_ROOM - used >= plaintext_len + RECORD_OVERHEAD;
}

void tls_wire_settle(struct tls_wire *wire)
{
	batch_settle(&wire->in, wire->loop);
	batch_settle(&wire->out, wire->loop);
}

void tls_wire_drop(struct tls_wire *wire)
{
	batch_release(&wire->in, wire->loop);
	batch_release(&wire->out, wire->loop);
}
