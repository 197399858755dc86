#pragma once

/*
 * ws_account.h - how many frames without data the peer of a WebSocket may send; pure
 *
 * They cost the sender nothing, and each one costs us: WS_IDLE_BURST at the beginning, and WS_IDLE_PER_SECOND more.
 */

#include <stdbool.h>
#include <stdint.h>

#define WS_IDLE_BURST      100
#define WS_IDLE_PER_SECOND 10

struct ws_account {
	uint64_t filled_ms;
	uint32_t left;
};

void ws_account_init(struct ws_account *a, uint64_t now_ms);

/* False: it is overdrawn. */
bool ws_account_spend(struct ws_account *a, uint64_t now_ms);
