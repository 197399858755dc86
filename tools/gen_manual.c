/*
 * gen_manual.c - prints the manual pages of pomerium-cli (mdoc) from its tables, so that the two cannot differ
 *
 * Without argument: the names of the pages, one a line. With one of them: that page. The page of the program lists the commands;
 * each of them has a page of its own.
 */

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/options.h"

#define DATE "November 24, 2026"

/* A line of prose: what begins with a point or a quote would be a macro, and a backslash an escape. */
static void print_line(struct str line)
{
	if (str_starts_with(line, STR(".")) || str_starts_with(line, STR("'")))
		fputs("\\&", stdout);
	for (size_t i = 0; i < line.len; i++) {
		if (line.at[i] == '\\')
			fputs("\\e", stdout);
		else
			fputc(line.at[i], stdout);
	}
	fputc('\n', stdout);
}

/* Empty lines part paragraphs. */
static void print_prose(const char *text)
{
	struct str rest = str_from(text);
	struct str line;

	while (str_cut(&rest, '\n', &line)) {
		if (str_is_empty(line))
			puts(".Pp");
		else
			print_line(line);
	}
}

static void print_sentence(const char *text)
{
	fputc(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0], stdout);
	print_line(str_from_pos(str_from(text), 1));
}

/* ---- one command ---- */

static void print_usage_word(struct str word)
{
	struct str inside = str_first(str_from_pos(word, 1), word.len >= 2 ? word.len - 2 : 0);

	if (str_starts_with(word, STR("[")))
		printf(".Op Ar %.*s\n", STR_FMT(inside));
	else if (word.at[0] >= 'a' && word.at[0] <= 'z')
		printf(".Cm %.*s\n", STR_FMT(word));
	else
		printf(".Ar %.*s\n", STR_FMT(word));
}

static void print_synopsis(const struct command *command)
{
	struct str rest = str_from(command->usage);
	struct str word;

	printf(".Nm pomerium-cli\n.Cm %s\n", command->name);
	if (command->option_groups)
		puts(".Op Ar flags");
	while (!str_is_empty(rest) && str_cut(&rest, ' ', &word))
		print_usage_word(word);
}

static void print_flags(const struct command *command)
{
	struct option_text option;

	puts(".Bl -tag -width Ds");
	for (size_t at = 0; options_next(command->option_groups, &at, &option);) {
		printf(".It Fl -%s", option.name);
		if (option.value_name)
			printf(" Ar %s", option.value_name);
		puts("");
		print_sentence(option.help);
	}
	puts(".It Fl h , -help\nShow the help of the command.\n.El");
}

static void print_command_page(const struct command *command)
{
	printf(".Dd " DATE "\n.Dt POMERIUM-CLI-");
	for (const char *c = command->name; *c; c++)
		fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, stdout);
	printf(" 1\n.Os\n.Sh NAME\n.Nm pomerium-cli-%s\n.Nd %s\n.Sh SYNOPSIS\n", command->name,
	       command->summary);
	print_synopsis(command);
	puts(".Sh DESCRIPTION");
	print_prose(command->description);
	puts(".Sh OPTIONS");
	print_flags(command);
	puts(".Sh SEE ALSO\n.Xr pomerium-cli 1");
}

/* ---- the program ---- */

static const char *const program_begin =
	".Dd " DATE "\n.Dt POMERIUM-CLI 1\n.Os\n.Sh NAME\n.Nm pomerium-cli\n"
	".Nd open connections through a Pomerium gateway\n.Sh SYNOPSIS\n.Nm\n.Ar COMMAND\n"
	".Op Ar arguments\n.Op Ar flags\n.Sh DESCRIPTION\n"
	"The commands are these; each has a page of its own, and\n.Fl -help .\n"
	".Bl -tag -width Ds\n";

static const char *const program_end =
	".El\n.Pp\nThe program itself has two flags:\n.Bl -tag -width Ds\n"
	".It Fl h , -help\nShow the commands.\n.It Fl v , -version\nShow the version.\n.El\n"
	".Pp\nWhen the gateway asks for a login a browser is opened; the connection waits and is then served.\n"
	"The login is kept and shared by every process.\n"
	".Sh ENVIRONMENT\n.Bl -tag -width XDG_CACHE_HOME\n"
	".It Ev BROWSER\nThe programs to open a login with, separated by colons; the first is used.\n"
	".Li none :\nonly print the address.\nBy default\n.Xr xdg-open 1\non a desktop.\n"
	".It Ev HTTPS_PROXY , ALL_PROXY , HTTP_PROXY\nThe proxy on the way to the gateway, unless\n"
	".Fl -proxy\nnames one; in lower case as well.\n"
	".It Ev NO_PROXY\nNames and addresses that are reached without it.\n"
	".It Ev LOG_FORMAT\n.Li json\nor\n.Li console ;\nby default a terminal decides.\n"
	".It Ev LOG_LEVEL\n.Li info\nby default;\n.Li warn\nleaves only problems.\n"
	".It Ev XDG_CACHE_HOME\nWhere logins are kept:\n.Pa $XDG_CACHE_HOME/pomerium-cli ,\nelse\n"
	".Pa ~/.cache/pomerium-cli .\n.El\n"
	".Sh EXIT STATUS\nWith\n.Fl -listen Li -\nit is the tunnel's.\n"
	"A client that listens goes on after a failed connection, until a signal ends it with status 0.\n"
	".Bl -tag -width Ds\n.It 0\nAn orderly end.\n.It 1\nAnything that is not below.\n"
	".It 2\nThe command line makes no sense.\n.It 3\nNot logged in.\n.It 4\nThe policy says no.\n"
	".It 5\nNo such route.\n.It 6\nThe gateway, or the service behind it, is not reachable.\n.El\n"
	".Sh EXAMPLES\nA port of this machine that leads to a Redis server:\n"
	".Bd -literal -offset indent\n"
	"pomerium-cli tcp redis.corp.example.com:6379 --listen 127.0.0.1:6379\n.Ed\n.Pp\nIn\n"
	".Pa ~/.ssh/config\n(as printed by\n.Nm\n.Cm ssh-config ) :\n.Bd -literal -offset indent\n"
	"Host *.corp.example.com\n    ProxyCommand pomerium-cli tcp --listen - %h:%p\n.Ed\n"
	".Sh SEE ALSO\n.Xr pomerium 1\n";

static void print_program_page(void)
{
	fputs(program_begin, stdout);
	for (size_t i = 0; i < the_program.command_count; i++) {
		const struct command *command = &the_program.commands[i];
		struct str usage = str_from(command->usage);

		printf(".It Cm %s", command->name);
		if (!str_is_empty(usage))
			printf(" Ar %s", command->usage);
		puts("");
		print_sentence(command->summary);
	}
	fputs(program_end, stdout);
}

static void print_names(void)
{
	puts("pomerium-cli.1");
	for (size_t i = 0; i < the_program.command_count; i++)
		printf("pomerium-cli-%s.1\n", the_program.commands[i].name);
}

int main(int argc, char **argv)
{
	const struct str prefix = STR("pomerium-cli-");
	struct str page = str_from(argc > 1 ? argv[1] : NULL);

	if (argc < 2) {
		print_names();
		return 0;
	}
	if (str_equal(page, STR("pomerium-cli.1"))) {
		print_program_page();
		return 0;
	}
	for (size_t i = 0; i < the_program.command_count; i++) {
		const struct command *command = &the_program.commands[i];
		struct str name = str_first(str_from_pos(page, prefix.len),
					    page.len - prefix.len - strlen(".1"));

		if (page.len > prefix.len + strlen(".1") &&
		    str_equal(name, str_from(command->name))) {
			print_command_page(command);
			return 0;
		}
	}
	fprintf(stderr, "gen_manual: there is no page %.*s\n", STR_FMT(page));
	return 2;
}
