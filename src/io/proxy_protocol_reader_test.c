#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "io/loop.h"
#include "io/proxy_protocol.h"
#include "io/stream.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"

#define HEADER     "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
#define TIMEOUT_MS 5000
#define TURNS      200

struct bed {
	struct loop *loop;
	struct stream *ours;
	struct stream *theirs;
	struct proxy_header_reader *reader;
	int done_count;
	bool has_header;
	struct proxy_header header;
	struct err error;
};

static void on_done(void *arg, const struct proxy_header *header, const struct err *e)
{
	struct bed *bed = arg;

	bed->reader = NULL;
	bed->done_count++;
	bed->has_header = header != NULL;
	if (header)
		bed->header = *header;
	if (e)
		bed->error = *e;
}

static void begin(struct bed *bed, const struct stream_mem_options *options)
{
	*bed = (struct bed){ .loop = loop_new() };
	stream_mem_pair(bed->loop, options, &bed->ours, &bed->theirs);
	bed->reader = proxy_header_read_start(bed->loop, bed->ours, clock_now_ms() + TIMEOUT_MS,
					      on_done, bed);
	assert_int_equal(bed->done_count, 0); /* never from inside the call */
}

static void turn(struct bed *bed)
{
	for (int i = 0; i < TURNS; i++)
		loop_turn(bed->loop, false);
}

static void end(struct bed *bed)
{
	proxy_header_read_cancel(bed->reader);
	stream_close(bed->ours, STREAM_CLOSE_NORMAL);
	stream_close(bed->theirs, STREAM_CLOSE_NORMAL);
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
}

static void send_text(struct bed *bed, struct str text)
{
	assert_int_equal(stream_write(bed->theirs, text.at, text.len), text.len);
}

static void expect_rest(struct bed *bed, struct str rest)
{
	char bytes[64];
	size_t len = 0;

	while (len < rest.len) {
		ssize_t got = stream_read(bed->ours, bytes + len, sizeof(bytes) - len);

		assert_true(got > 0);
		len += (size_t)got;
	}
	assert_memory_equal(bytes, rest.at, rest.len);
}

static void test_what_follows_stays(void **state)
{
	static const struct stream_mem_options options[] = { { 0 }, { .read_max = 1 } };
	struct bed bed;
	char source[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		begin(&bed, &options[i]);
		send_text(&bed, STR(HEADER "\x16\3\1 the rest"));
		turn(&bed);
		assert_int_equal(bed.done_count, 1);
		assert_true(bed.has_header);
		addr_format(&bed.header.source, source);
		assert_string_equal(source, "192.0.2.1:56324");
		expect_rest(&bed, STR("\x16\3\1 the rest"));
		end(&bed);
	}
}

static void test_byte_by_byte(void **state)
{
	struct str header = STR(HEADER);
	struct bed bed;

	begin(&bed, &(struct stream_mem_options){ 0 });
	for (size_t i = 0; i < header.len; i++) {
		assert_int_equal(bed.done_count, 0);
		send_text(&bed, str_first(str_from_pos(header, i), 1));
		turn(&bed);
	}
	assert_int_equal(bed.done_count, 1);
	assert_true(bed.has_header);
	end(&bed);
}

static void test_garbage(void **state)
{
	struct bed bed;

	begin(&bed, &(struct stream_mem_options){ 0 });
	send_text(&bed, STR("GET / HTTP/1.1\r\n\r\n"));
	turn(&bed);
	assert_int_equal(bed.done_count, 1);
	assert_false(bed.has_header);
	assert_int_equal(bed.error.kind, ERR_PROTOCOL);
	end(&bed);
}

static void test_ends(void **state)
{
	static const struct {
		struct str before;
		enum err_kind kind;
	} cases[] = {
		{ STR(""), ERR_CLOSED },
		{ STR("PROXY TCP4 192.0.2.1 198.51"), ERR_PROTOCOL },
	};
	struct bed bed;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&bed, &(struct stream_mem_options){ 0 });
		if (cases[i].before.len > 0)
			send_text(&bed, cases[i].before);
		assert_int_equal(stream_shutdown(bed.theirs), STREAM_END);
		turn(&bed);
		assert_int_equal(bed.done_count, 1);
		assert_false(bed.has_header);
		assert_int_equal(bed.error.kind, cases[i].kind);
		end(&bed);
	}
}

static void test_failing_stream(void **state)
{
	static const struct {
		struct str before;
		enum err_kind kind;
	} cases[] = {
		{ STR(""), ERR_CLOSED }, /* a probe */
		{ STR("PROXY"), ERR_RESET },
	};
	struct bed bed;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&bed, &(struct stream_mem_options){ 0 });
		if (cases[i].before.len > 0)
			send_text(&bed, cases[i].before);
		turn(&bed);
		stream_mem_fail(bed.ours, ERR_RESET, "reset");
		turn(&bed);
		assert_int_equal(bed.done_count, 1);
		assert_int_equal(bed.error.kind, cases[i].kind);
		end(&bed);
	}
}

/* Bytes that trickle in give no more time. */
static void test_time_limit(void **state)
{
	struct bed bed;

	begin(&bed, &(struct stream_mem_options){ 0 });
	for (int i = 0; i < 5; i++) {
		clock_fake_advance_ms(TIMEOUT_MS / 5 - 1);
		send_text(&bed, str_first(str_from_pos(STR(HEADER), (size_t)i), 1));
		turn(&bed);
		assert_int_equal(bed.done_count, 0);
	}
	clock_fake_advance_ms(5);
	turn(&bed);
	assert_int_equal(bed.done_count, 1);
	assert_int_equal(bed.error.kind, ERR_TIMEOUT);
	end(&bed);
}

static void test_cancel_is_silence(void **state)
{
	struct bed bed;

	begin(&bed, &(struct stream_mem_options){ 0 });
	send_text(&bed, STR(HEADER));
	proxy_header_read_cancel(TAKE(bed.reader));
	clock_fake_advance_ms(TIMEOUT_MS + 1);
	turn(&bed);
	assert_int_equal(bed.done_count, 0);
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_follows_stays),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_failing_stream),
		cmocka_unit_test(test_time_limit),
		cmocka_unit_test(test_cancel_is_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
