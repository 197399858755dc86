#include "cli/backoff.h"

#include "base/random.h"

uint64_t backoff_next_ms(struct backoff *b)
{
	uint32_t dice;

	b->middle_ms = b->middle_ms ? b->middle_ms + b->middle_ms / 2 : BACKOFF_FIRST_MS;
	if (b->middle_ms > BACKOFF_MAX_MS)
		b->middle_ms = BACKOFF_MAX_MS;
	random_bytes(&dice, sizeof(dice));
	return b->middle_ms / 2 + dice % (b->middle_ms + 1);
}
