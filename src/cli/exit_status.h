#pragma once

/*
 * exit_status.h - what the program tells a script (extensions.md 9)
 */

enum exit_status {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_OTHER = 1,
	EXIT_STATUS_USAGE = 2,
	EXIT_STATUS_NOT_LOGGED_IN = 3,
	EXIT_STATUS_DENIED = 4,
	EXIT_STATUS_NO_ROUTE = 5,
	EXIT_STATUS_UNREACHABLE = 6,
};
