#include "cli/completion.h"

#include <string.h>

#include "cli/command.h"
#include "cli/options.h"

bool completion_next_word(const struct command *command, size_t *position, struct str *ret)
{
	struct str usage = str_from(command->usage);
	struct str words = str_first(usage, str_find(usage, ' '));
	struct str rest = str_from_pos(words, *position);

	if (str_is_empty(rest) || words.at[0] < 'a' || words.at[0] > 'z')
		return false;
	*ret = str_first(rest, str_find(rest, '|'));
	*position += ret->len + 1;
	return true;
}

static bool takes_file(const struct option_text *option)
{
	return option->value_name && (strcmp(option->value_name, "FILE") == 0 ||
				      strcmp(option->value_name, "PROGRAM") == 0);
}

static bool takes_command(const struct command *command)
{
	return strcmp(command->usage, "[COMMAND]") == 0;
}

static void print_names(const struct program *program, FILE *out)
{
	for (size_t i = 0; i < program->command_count; i++)
		fprintf(out, "%s%s", i ? " " : "", program->commands[i].name);
}

/* Within a pair of ' of a shell; also_before: what has to have a backslash as well. */
static void print_quoted(const char *text, const char *also_before, FILE *out)
{
	for (const char *c = text; *c; c++) {
		if (*c == '\'') {
			fprintf(out, "'\\''");
			continue;
		}
		if (strchr(also_before, *c))
			fputc('\\', out);
		fputc(*c, out);
	}
}

/* ---- bash ---- */

static void print_bash_command(const struct program *program, const struct command *command,
			       FILE *out)
{
	struct option_text option;
	struct str word;

	fprintf(out, "\t%s) words='", command->name);
	for (size_t at = 0; completion_next_word(command, &at, &word);)
		fprintf(out, "%.*s ", STR_FMT(word));
	if (takes_command(command)) {
		print_names(program, out);
		fputc(' ', out);
	}
	for (size_t at = 0; options_next(command->option_groups, &at, &option);)
		fprintf(out, "--%s ", option.name);
	fprintf(out, "--help' ;;\n");
}

/* Flags that take a file do so in every command; those after which nothing can be said are not in the list. */
static void print_bash_files(FILE *out)
{
	struct option_text option;
	bool is_first = true;

	fprintf(out, "\tcase $previous in\n\t");
	for (size_t at = 0; options_next(~0u, &at, &option);) {
		if (!takes_file(&option))
			continue;
		fprintf(out, "%s--%s", is_first ? "" : "|", option.name);
		is_first = false;
	}
	fprintf(out, ") return ;;\n\tesac\n");
}

void completion_print_bash(const struct program *program, FILE *out)
{
	fprintf(out,
		"_pomerium_cli()\n{\n"
		"\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words\n"
		"\tCOMPREPLY=()\n"
		"\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		"\t\tCOMPREPLY=($(compgen -W '");
	print_names(program, out);
	fprintf(out, "' -- \"$word\"))\n\t\treturn\n\tfi\n");
	print_bash_files(out);
	fprintf(out, "\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < program->command_count; i++)
		print_bash_command(program, &program->commands[i], out);
	fprintf(out, "\t*) return ;;\n\tesac\n"
		     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
		     "complete -o default -F _pomerium_cli pomerium-cli\n");
}

/* ---- zsh ---- */

static void print_zsh_option(const struct option_text *option, FILE *out)
{
	fprintf(out, " \\\n\t\t\t'--%s%s[", option->name, option->value_name ? "=" : "");
	print_quoted(option->help, "[]:\\", out);
	fputc(']', out);
	if (option->value_name)
		fprintf(out, ":%s:%s", option->value_name, takes_file(option) ? "_files" : "");
	fputc('\'', out);
}

static void print_zsh_command(const struct program *program, const struct command *command,
			      FILE *out)
{
	struct option_text option;
	struct str word;

	fprintf(out, "\t%s)\n\t\t_arguments '--help[show this help]'", command->name);
	for (size_t at = 0; options_next(command->option_groups, &at, &option);)
		print_zsh_option(&option, out);
	if (takes_command(command) || completion_next_word(command, &(size_t){ 0 }, &word)) {
		fprintf(out, " \\\n\t\t\t'1:argument:(");
		if (takes_command(command))
			print_names(program, out);
		for (size_t at = 0; completion_next_word(command, &at, &word);)
			fprintf(out, "%.*s ", STR_FMT(word));
		fprintf(out, ")'");
	}
	fprintf(out, "\n\t\t;;\n");
}

void completion_print_zsh(const struct program *program, FILE *out)
{
	fprintf(out, "#compdef pomerium-cli\n_pomerium_cli()\n{\n"
		     "\tlocal -a commands=(\n");
	for (size_t i = 0; i < program->command_count; i++) {
		fprintf(out, "\t\t'%s:", program->commands[i].name);
		print_quoted(program->commands[i].summary, ":\\", out);
		fprintf(out, "'\n");
	}
	fprintf(out,
		"\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n"
		"\tfi\n\tlocal command=$words[2]\n\tshift words\n\t((CURRENT--))\n"
		"\tcase $command in\n");
	for (size_t i = 0; i < program->command_count; i++)
		print_zsh_command(program, &program->commands[i], out);
	fprintf(out,
		"\tesac\n}\n"
		"if [ \"${funcstack[1]}\" = _pomerium-cli ]; then\n\t_pomerium_cli \"$@\"\nelse\n"
		"\tcompdef _pomerium_cli pomerium-cli\nfi\n");
}

/* ---- fish ---- */

static void print_fish_option(const char *name, const struct option_text *option, FILE *out)
{
	fprintf(out, "complete -c pomerium-cli -n '__fish_seen_subcommand_from %s' -l %s", name,
		option->name);
	if (option->value_name)
		fprintf(out, "%s", takes_file(option) ? " -r -F" : " -x");
	fprintf(out, " -d '");
	print_quoted(option->help, "\\", out);
	fprintf(out, "'\n");
}

static void print_fish_command(const struct program *program, const struct command *command,
			       FILE *out)
{
	struct option_text option;
	struct str word;

	fprintf(out, "complete -c pomerium-cli -n __fish_use_subcommand -a %s -d '", command->name);
	print_quoted(command->summary, "\\", out);
	fprintf(out, "'\n");
	for (size_t at = 0; completion_next_word(command, &at, &word);)
		fprintf(out,
			"complete -c pomerium-cli -n '__fish_seen_subcommand_from %s' -a %.*s\n",
			command->name, STR_FMT(word));
	if (takes_command(command)) {
		fprintf(out, "complete -c pomerium-cli -n '__fish_seen_subcommand_from %s' -a '",
			command->name);
		print_names(program, out);
		fprintf(out, "'\n");
	}
	for (size_t at = 0; options_next(command->option_groups, &at, &option);)
		print_fish_option(command->name, &option, out);
}

void completion_print_fish(const struct program *program, FILE *out)
{
	fprintf(out, "complete -c pomerium-cli -f\n"
		     "complete -c pomerium-cli -s h -l help -d 'show the help'\n");
	for (size_t i = 0; i < program->command_count; i++)
		print_fish_command(program, &program->commands[i], out);
}
