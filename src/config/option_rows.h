#pragma once

/*
 * option_rows.h - how a row of an option table is written
 *
 * Private to the files that hold the tables. Behind the text of a row may stand what is unusual about it.
 */

#include "config/options.h"

/* A value that is read into a field of a struct. */
#define READ(name, kind, record, field, standard, text, ...)                                       \
	{                                                                                          \
		.key = name, .type = SETTING_##kind, .status = SETTING_SUPPORTED, .help = text,    \
		.default_text = standard,                                                          \
		.offset = offsetof(record, field) __VA_OPT__(, ) __VA_ARGS__                       \
	}

/* A key this release only knows. */
#define KNOWN(name, kind, state, standard, text, ...)                                              \
	{                                                                                          \
		.key = name, .type = SETTING_##kind, .status = SETTING_##state, .help = text,      \
		.default_text = standard __VA_OPT__(, ) __VA_ARGS__                                \
	}

/* A value with a table of its own. */
#define NESTED(name, kind, at, schema, text, ...)                                                  \
	{                                                                                          \
		.key = name, .type = SETTING_##kind, .status = SETTING_SUPPORTED, .help = text,    \
		.offset = at, .table = &(schema)__VA_OPT__(, ) __VA_ARGS__                         \
	}

/* A removed key whose removal a function tells. */
#define GONE(name, kind, function, text)                                                           \
	{                                                                                          \
		.key = name, .type = SETTING_##kind, .status = SETTING_REMOVED, .help = text,      \
		.parse = function                                                                  \
	}

/* A value that is read by a function. */
#define PARSED(name, function, standard, text, ...)                                                \
	{                                                                                          \
		.key = name, .type = SETTING_CUSTOM, .status = SETTING_SUPPORTED, .help = text,    \
		.default_text = standard, .parse = function __VA_OPT__(, ) __VA_ARGS__             \
	}

#define PARTLY         .effect = SETTING_EFFECT_PART /* on tunnels */
#define NOT_FOR_TCP    .effect = SETTING_EFFECT_NO
#define NOT_A_VARIABLE .variable = ""
