#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/capsule.h"
#include "tests/vectors/vectors.h"

#define ALL_MAX (1u << 20)

/* Reads all of data in pieces; each packet that comes is put into out as "<length>:bytes". */
static enum capsule_read read_pieces(struct str data, size_t piece, struct buf *out)
{
	struct capsule_reader reader = { 0 };
	enum capsule_read result = CAPSULE_MORE;
	struct err e = { 0 };

	while (data.len > 0 && result != CAPSULE_BROKEN) {
		struct str part = str_first(data, piece);
		struct str packet;

		data = str_from_pos(data, part.len);
		while ((result = capsule_read(&reader, &part, &packet, &e)) == CAPSULE_PACKET) {
			(void)buf_printf(out, "%zu:", packet.len);
			(void)buf_append_str(out, packet);
		}
	}
	if (result == CAPSULE_BROKEN)
		assert_int_equal(e.kind, ERR_PROTOCOL);
	capsule_reader_done(&reader);
	return result;
}

static void assert_reads(struct str data, struct str wanted, enum capsule_read result)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 1000, SIZE_MAX };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct buf out = BUF_INIT(ALL_MAX);

		assert_int_equal(read_pieces(data, pieces[i], &out), result);
		assert_int_equal(out.len, wanted.len);
		if (wanted.len > 0)
			assert_memory_equal(out.data, wanted.at, wanted.len);
		buf_done(&out);
	}
}

static void test_vectors(void **state)
{
	json_t *file = vectors_load("connect_udp.json");
	const json_t *rows = vectors_get(file, "capsules");

	assert_true(json_array_size(rows) > 0);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		struct buf packet = BUF_INIT(ALL_MAX);
		struct buf capsule = BUF_INIT(ALL_MAX);
		struct buf wanted = BUF_INIT(ALL_MAX);
		uint8_t header[CAPSULE_HEADER_MAX];
		size_t header_len;

		vectors_hex(row, "udp_payload_hex", &packet);
		vectors_hex(row, "capsule_hex", &capsule);
		header_len = capsule_write_header(header, packet.len);
		assert_int_equal(header_len + packet.len, capsule.len);
		assert_memory_equal(header, capsule.data, header_len);
		(void)buf_printf(&wanted, "%zu:", packet.len);
		(void)buf_append_str(&wanted, buf_view(&packet));
		assert_reads(buf_view(&capsule), buf_view(&wanted), CAPSULE_MORE);
		buf_done(&packet);
		buf_done(&capsule);
		buf_done(&wanted);
	}
	json_decref(file);
}

/* In front of a packet that comes through. */
static void test_what_is_passed_over(void **state)
{
	json_t *file = vectors_load("connect_udp.json");
	const json_t *rows = vectors_get(file, "ignore");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		struct buf data = BUF_INIT(ALL_MAX);

		vectors_hex(json_array_get(rows, i), "capsule_hex", &data);
		(void)buf_append(&data, "\x00\x02\x00z", 4);
		assert_reads(buf_view(&data), STR("1:z"), CAPSULE_MORE);
		buf_done(&data);
	}
	json_decref(file);
	assert_reads(STR("\x2b\x00"
			 "\x00\x01\x02" /* empty, of another context */
			 "\x00\x02\x00z"),
		     STR("1:z"), CAPSULE_MORE);
	/* Numbers need not be written as short as they could be. */
	assert_reads(STR("\x40\x00\x80\x00\x00\x03\x40\x00y"), STR("1:y"), CAPSULE_MORE);
}

static void test_broken(void **state)
{
	static const struct str cases[] = {
		{ "\x00\x00z", 3 },                /* no context */
		{ "\x00\x01\x40\x00", 4 },         /* a context longer than its capsule */
		{ "\x00\x80\x00\xff\xf9\x00", 6 }, /* a packet larger than there can be */
		{ "\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00", 10 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_reads(cases[i], STR(""), CAPSULE_BROKEN);
}

static void test_it_stays_broken(void **state)
{
	struct capsule_reader reader = { 0 };
	struct str bad = STR("\x00\x00");
	struct str good = STR("\x00\x02\x00z");
	struct str packet;
	struct err e;

	assert_int_equal(capsule_read(&reader, &bad, &packet, &e), CAPSULE_BROKEN);
	assert_int_equal(capsule_read(&reader, &good, &packet, &e), CAPSULE_BROKEN);
	capsule_reader_done(&reader);
}

/* However long: the number of bytes is the peer's to choose. */
static void test_nothing_is_kept_of_what_is_passed_over(void **state)
{
	const uint8_t zeros[65536] = { 0 };
	struct capsule_reader reader = { 0 };
	struct str head = STR("\x21\xff\xff\xff\xff\xff\xff\xff\xff");
	struct str packet;
	struct err e;

	assert_int_equal(capsule_read(&reader, &head, &packet, &e), CAPSULE_MORE);
	for (int i = 0; i < 100; i++) {
		struct str data = str_of(zeros, sizeof(zeros));

		assert_int_equal(capsule_read(&reader, &data, &packet, &e), CAPSULE_MORE);
		assert_int_equal(data.len, 0);
	}
	assert_int_equal(reader.partial.cap, 0);
	capsule_reader_done(&reader);
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t value;
		struct str bytes;
	} cases[] = {
		{ 0, { "\x00", 1 } },
		{ 63, { "\x3f", 1 } },
		{ 64, { "\x40\x40", 2 } },
		{ 16383, { "\x7f\xff", 2 } },
		{ 16384, { "\x80\x00\x40\x00", 4 } },
		{ 1073741823, { "\xbf\xff\xff\xff", 4 } },
		{ 1073741824, { "\xc0\x00\x00\x00\x40\x00\x00\x00", 8 } },
		{ 4611686018427387903, { "\xff\xff\xff\xff\xff\xff\xff\xff", 8 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t out[VARINT_MAX_LEN];

		assert_int_equal(varint_write(out, cases[i].value), cases[i].bytes.len);
		assert_memory_equal(out, cases[i].bytes.at, cases[i].bytes.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_what_is_passed_over),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_it_stays_broken),
		cmocka_unit_test(test_nothing_is_kept_of_what_is_passed_over),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
