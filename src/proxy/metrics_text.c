#include "proxy/metrics_text.h"

#include <inttypes.h>

#include "base/utf8.h"

void metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
	(void)buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_character(struct buf *out, struct str character)
{
	switch (character.at[0]) {
	case '\\':
		(void)buf_append_str(out, STR("\\\\"));
		return;
	case '"':
		(void)buf_append_str(out, STR("\\\""));
		return;
	case '\n':
		(void)buf_append_str(out, STR("\\n"));
		return;
	default:
		(void)buf_append_str(out, character);
	}
}

static void write_value(struct buf *out, struct str value)
{
	uint32_t code_point;

	while (value.len) {
		size_t len = utf8_decode(value, &code_point);

		write_character(out, len ? str_first(value, len) : STR("?"));
		value = str_from_pos(value, len ? len : 1);
	}
}

static void write_name(struct buf *out, const char *name, const char *suffix,
		       const struct metrics_label *labels)
{
	(void)buf_printf(out, "%s%s", name, suffix);
	for (const struct metrics_label *label = labels; label && label->name; label++) {
		(void)buf_printf(out, "%c%s=\"", label == labels ? '{' : ',', label->name);
		write_value(out, label->value);
		(void)buf_append_char(out, '"');
	}
	if (labels && labels->name)
		(void)buf_append_char(out, '}');
	(void)buf_append_char(out, ' ');
}

void metrics_sample(struct buf *out, const char *name, const char *suffix,
		    const struct metrics_label *labels, uint64_t value)
{
	write_name(out, name, suffix, labels);
	(void)buf_printf(out, "%" PRIu64 "\n", value);
}

void metrics_sample_seconds(struct buf *out, const char *name, const char *suffix,
			    uint64_t value_us)
{
	write_name(out, name, suffix, NULL);
	(void)buf_printf(out, "%" PRIu64 ".%06" PRIu64 "\n", value_us / 1000000,
			 value_us % 1000000);
}
