/*
 * map_test.c - SipHash against its reference vectors, and the map against a plain array
 */

#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/siphash.h"

/* SipHash-2-4 of the bytes 00, 01, ... (n-1) for n = 0..63 under the key 00 01 ... 0f: the vectors
 * published with the reference implementation. */
static const uint64_t siphash_vectors[64] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
	0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
	0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
	0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
	0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
	0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
	0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
	0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
	0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
	0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
	0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
	0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
	0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
	0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static void test_siphash_vectors(void **state)
{
	const uint64_t key[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
	char bytes[64];

	for (size_t i = 0; i < 64; i++)
		bytes[i] = (char)i;
	for (size_t len = 0; len < 64; len++)
		assert_int_equal(siphash24(key, str_of(bytes, len)), siphash_vectors[len]);
}

#define MANY 5000

static struct str key_of(size_t i, char out[32])
{
	(void)snprintf(out, 32, "key-%zu", i);
	return str_from(out);
}

static void test_put_get_remove(void **state)
{
	struct map m;
	int a = 0;
	int b = 0;

	map_init(&m);
	assert_null(map_get(&m, STR("a")));
	assert_null(map_remove(&m, STR("a")));
	assert_null(map_put(&m, STR("a"), &a));
	assert_ptr_equal(map_get(&m, STR("a")), &a);
	assert_ptr_equal(map_put(&m, STR("a"), &b), &a);
	assert_int_equal(m.count, 1);
	assert_ptr_equal(map_get(&m, STR("a")), &b);
	assert_null(map_put(&m, STR(""), &a));
	assert_ptr_equal(map_get(&m, (struct str){ 0 }), &a);
	assert_null(map_put(&m, STR("a\0b"), &a));
	assert_ptr_equal(map_get(&m, STR("a")), &b);
	assert_ptr_equal(map_remove(&m, STR("a")), &b);
	assert_null(map_get(&m, STR("a")));
	assert_int_equal(m.count, 2);
	map_done(&m);
	map_done(&m);
}

static void test_keys_are_copied(void **state)
{
	char key[] = "key";
	struct map m;
	int value = 0;

	map_init(&m);
	map_put(&m, str_from(key), &value);
	key[0] = 'X';
	assert_ptr_equal(map_get(&m, STR("key")), &value);
	assert_null(map_get(&m, STR("Xey")));
	map_done(&m);
}

static void test_many(void **state)
{
	char values[MANY];
	char text[32];
	struct map m;

	map_init(&m);
	for (size_t i = 0; i < MANY; i++)
		assert_null(map_put(&m, key_of(i, text), &values[i]));
	assert_int_equal(m.count, MANY);
	assert_true(m.bucket_count >= MANY);
	for (size_t i = 0; i < MANY; i += 2)
		assert_ptr_equal(map_remove(&m, key_of(i, text)), &values[i]);
	for (size_t i = 0; i < MANY; i++)
		assert_ptr_equal(map_get(&m, key_of(i, text)), i % 2 ? &values[i] : NULL);
	assert_int_equal(m.count, MANY / 2);
	map_done(&m);
}

struct visit_state {
	size_t seen;
	size_t key_bytes;
};

static bool remove_odd(void *arg, struct str key, void *value)
{
	struct visit_state *visit = arg;

	visit->seen++;
	visit->key_bytes += key.len;
	return *(int *)value % 2 == 1;
}

static void test_visit_may_remove(void **state)
{
	int values[100];
	char text[32];
	struct map m;
	struct visit_state visit = { 0 };

	map_init(&m);
	map_visit(&m, remove_odd, &visit);
	assert_int_equal(visit.seen, 0);
	for (int i = 0; i < 100; i++) {
		values[i] = i;
		map_put(&m, key_of((size_t)i, text), &values[i]);
	}
	map_visit(&m, remove_odd, &visit);
	assert_int_equal(visit.seen, 100);
	assert_int_equal(visit.key_bytes, 10 * 5 + 90 * 6);
	assert_int_equal(m.count, 50);
	for (int i = 0; i < 100; i++)
		assert_ptr_equal(map_get(&m, key_of((size_t)i, text)), i % 2 ? NULL : &values[i]);
	map_done(&m);
}

static void test_every_map_has_its_own_key(void **state)
{
	struct map a;
	struct map b;

	map_init(&a);
	map_init(&b);
	assert_memory_not_equal(a.key, b.key, sizeof(a.key));
	map_done(&a);
	map_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash_vectors),
		cmocka_unit_test(test_put_get_remove),
		cmocka_unit_test(test_keys_are_copied),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_visit_may_remove),
		cmocka_unit_test(test_every_map_has_its_own_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
