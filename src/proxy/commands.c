#include "proxy/commands.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define FLAG_FIRST                                                                                 \
	256 /* beyond every character, so that getopt_long() tells flags apart by index */

int command_fail(int status, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fprintf(stderr, "pomerium: %s\n", text);
	return status;
}

static struct option *make_options(const struct flag *flags, size_t flag_count)
{
	struct option *options = mem_alloc_array(flag_count + 1, sizeof(*options));

	for (size_t i = 0; i < flag_count; i++)
		options[i] = (struct option){
			.name = flags[i].name,
			.has_arg = flags[i].value_name ? required_argument : no_argument,
			.val = FLAG_FIRST + (int)i,
		};
	return options;
}

static int complain(int argc, char **argv, int code)
{
	char letter[] = { '-', (char)optopt, '\0' };
	const char *word = optind > 1 && optind <= argc ? argv[optind - 1] : letter;

	if (code == ':')
		return command_fail(-1, "%s needs a value", word);
	return command_fail(-1, "%s is not a flag of this command, see --help", word);
}

static bool is_repeatable(const struct flag *flag)
{
	return flag->value_name && str_ends_with(str_from(flag->value_name), STR("..."));
}

static int keep_value(const struct flag *flag, const char *value)
{
	size_t count = 0;

	while (is_repeatable(flag) && flag->value[count])
		if (++count == FLAG_VALUES_MAX)
			return command_fail(-1, "--%s is given more than %d times", flag->name,
					    FLAG_VALUES_MAX);
	flag->value[count] = value ? value : "";
	return 0;
}

int flags_parse(const struct flag *flags, size_t flag_count, int argc, char **argv,
		const char **arguments, size_t arguments_max)
{
	_cleanup_(mem_freep) struct option *options = make_options(flags, flag_count);
	int count = 0;
	int code;

	opterr = 0;
	optind = 0;
	while ((code = getopt_long_only(argc, argv, ":", options, NULL)) != -1) {
		if (code < FLAG_FIRST)
			return complain(argc, argv, code);
		if (keep_value(&flags[code - FLAG_FIRST], optarg) < 0)
			return -1;
	}
	for (; optind < argc; optind++) {
		if ((size_t)count == arguments_max)
			return command_fail(-1, "\"%s\" is one argument too many, see --help",
					    argv[optind]);
		arguments[count++] = argv[optind];
	}
	return count;
}

void flags_print(const struct flag *flags, size_t flag_count)
{
	for (size_t i = 0; i < flag_count; i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "--%s %s", flags[i].name,
			       flags[i].value_name ? flags[i].value_name : "");
		(void)printf("  %-28s %s\n", left, flags[i].help);
	}
}
