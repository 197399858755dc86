#pragma once

/*
 * stream_contract.h - the eight rules of io/stream.h, run against any implementation
 *
 * The way between the two ends must hold at least 16 bytes nobody has read yet.
 */

#include <stdbool.h>

#include "io/stream.h"

struct loop;

struct stream_contract {
	const char *name;
	/* Makes two connected ends on the loop; closing both must release everything. */
	void (*open_pair)(void *arg, struct loop *loop, struct stream **ret_a,
			  struct stream **ret_b);
	void *arg;
	/* The reset of STREAM_CLOSE_RESET is told apart from an orderly end by the peer. */
	bool shows_reset;
};

/* Runs every rule; fails the running cmocka test on the first violation. */
void stream_contract_run(const struct stream_contract *contract);
