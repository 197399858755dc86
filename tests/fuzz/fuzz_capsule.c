/*
 * fuzz_capsule.c - capsules of a UDP tunnel
 *
 * Properties: what comes out does not depend on how the bytes were cut, no packet is larger than there can be, and what was broken
 * stays broken.
 */

#include <assert.h>

#include "http/capsule.h"
#include "tests/fuzz/fuzz.h"

struct sum {
	uint64_t packets;
	uint64_t bytes;
	uint64_t hash;
	bool is_broken;
};

static void add(struct sum *sum, struct str packet)
{
	assert(packet.len <= CAPSULE_PACKET_MAX);
	sum->packets++;
	sum->bytes += packet.len;
	for (size_t i = 0; i < packet.len; i++)
		sum->hash = (sum->hash ^ (uint8_t)packet.at[i]) * 1099511628211u;
}

static struct sum read_pieces(struct str data, size_t piece)
{
	struct capsule_reader reader = { 0 };
	enum capsule_read result = CAPSULE_MORE;
	struct sum sum = { 0 };
	struct err e;

	while (data.len > 0 && result != CAPSULE_BROKEN) {
		struct str part = str_first(data, piece);
		struct str packet;

		data = str_from_pos(data, part.len);
		while ((result = capsule_read(&reader, &part, &packet, &e)) == CAPSULE_PACKET)
			add(&sum, packet);
	}
	sum.is_broken = result == CAPSULE_BROKEN;
	capsule_reader_done(&reader);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);
	struct sum whole = read_pieces(input, SIZE_MAX);
	struct sum bytes = read_pieces(input, 1);

	assert(whole.packets == bytes.packets && whole.bytes == bytes.bytes);
	assert(whole.hash == bytes.hash && whole.is_broken == bytes.is_broken);
	return 0;
}
