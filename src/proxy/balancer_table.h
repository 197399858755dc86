#pragma once

/*
 * balancer_table.h - the tables of the hashing policies; for balancer.c only
 */

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct balancer_place {
	uint64_t hash; /* ring: where it begins; maglev: not used */
	uint32_t target;
};

/* A zeroed one is empty. */
struct balancer_table {
	struct balancer_place *places;
	size_t count;
	bool is_ring;
};

void balancer_table_ring(struct balancer_table *t, const struct config_target *targets,
			 const uint64_t *weights, size_t count);
void balancer_table_maglev(struct balancer_table *t, const struct config_target *targets,
			   const uint64_t *weights, size_t count);
void balancer_table_done(struct balancer_table *t);

/* The place of a key. */
size_t balancer_table_find(const struct balancer_table *t, uint64_t key);
