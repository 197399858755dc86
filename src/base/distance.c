#include "base/distance.h"

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One row at a time. */
size_t str_distance(struct str a, struct str b)
{
	size_t row[DISTANCE_TEXT_MAX + 1];

	if (a.len > DISTANCE_TEXT_MAX || b.len > DISTANCE_TEXT_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t change = diagonal + (a.at[i - 1] != b.at[j - 1]);

			diagonal = row[j];
			row[j] = min_of(change, min_of(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.len];
}
