#pragma once

/*
 * option_rows.h - how a row of an option table is written
 *
 * Private to the files that hold the tables.
 */

#include "config/options.h"

/* A value that is read into a field of a struct. */
#define READ(name, kind, record, field, standard, text)                                            \
	{                                                                                          \
		.key = name, .type = SETTING_##kind, .status = SETTING_SUPPORTED, .help = text,    \
		.default_text = standard, .offset = offsetof(record, field)                        \
	}

/* A key this release only knows. */
#define KNOWN(name, kind, state, standard, text)                                                   \
	{                                                                                          \
		.key = name, .type = SETTING_##kind, .status = SETTING_##state, .help = text,      \
		.default_text = standard                                                           \
	}

/* A value with a table of its own. */
#define NESTED(name, kind, at, schema, text)                                                       \
	{                                                                                          \
		.key = name, .type = SETTING_##kind, .status = SETTING_SUPPORTED, .help = text,    \
		.offset = at, .table = &(schema)                                                   \
	}

/* A list with a table of its own that a function keeps for later. */
#define KEPT(name, function, schema, text)                                                         \
	{                                                                                          \
		.key = name, .type = SETTING_CUSTOM, .status = SETTING_SUPPORTED, .help = text,    \
		.table = &(schema), .parse = function                                              \
	}

/* A removed key whose removal a function tells. */
#define GONE(name, kind, function, text)                                                           \
	{                                                                                          \
		.key = name, .type = SETTING_##kind, .status = SETTING_REMOVED, .help = text,      \
		.parse = function                                                                  \
	}

/* A text that is read by a function. */
#define PARSED(name, function, standard, text)                                                     \
	{                                                                                          \
		.key = name, .type = SETTING_CUSTOM, .status = SETTING_SUPPORTED, .help = text,    \
		.default_text = standard, .parse = function                                        \
	}
