#include "session/postgres_string.h"

#include <stdbool.h>

#include <libpq-fe.h>

#include "base/mem.h"

static bool is_port_list(const char *text)
{
	return strspn(text, "0123456789,") == strlen(text);
}

/*
 * A password with a '@' or '/' in it that is not written as %40 or %2F ends up in the name of the host, the port or the
 * database, and so in error texts and logs.
 */
static bool is_out_of_place(const PQconninfoOption *option)
{
	if (!option->val)
		return false;
	if (strcmp(option->keyword, "port") == 0)
		return !is_port_list(option->val);
	return (strcmp(option->keyword, "host") == 0 || strcmp(option->keyword, "dbname") == 0) &&
	       strchr(option->val, '@');
}

static bool are_in_place(const PQconninfoOption *options)
{
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (is_out_of_place(option))
			return false;
	return true;
}

static void free_options(PQconninfoOption *options)
{
	for (PQconninfoOption *option = options; option && option->keyword; option++)
		if (option->val)
			mem_wipe(option->val, strlen(option->val));
	PQconninfoFree(options);
}

int postgres_string_check(const char *connection, struct err *e)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(connection, &message);
	bool is_valid = *connection && options && are_in_place(options);

	/* It may quote what libpq takes for a word of the string: it is not given on. */
	if (message)
		mem_wipe(message, strlen(message));
	PQfreemem(message);
	free_options(options);
	if (is_valid)
		return 0;
	return err_set(e, ERR_CONFIG,
		       "the connection string of the database is not valid: expected"
		       " postgresql://user:password@host:port/name or host=... dbname=..."
		       " (in the first form @ and / of the password are written as %%40 and %%2F)");
}
