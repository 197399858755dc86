/*
 * service_account.c - what cannot be a token is refused before anything is opened
 */

#include "cli/service_account.h"

#include <stdint.h>

#include "base/file.h"
#include "cli/credentials.h"

#define FILE_MAX (2 * TOKEN_MAX)

static int take(struct str text, const char *flag, struct buf *ret_token, struct err *e)
{
	struct str token = str_trim(text);

	if (!token_is_valid(token))
		return err_set(e, ERR_CONFIG, "--%s does not hold a token", flag);
	return buf_append_str(ret_token, token);
}

int service_account_read(const char *text, const char *path, struct buf *ret_token, struct err *e)
{
	struct buf contents = BUF_INIT(FILE_MAX);
	int result;

	if (text)
		return take(str_from(text), "service-account", ret_token, e);
	if (!path)
		return 0;
	if (file_read(path, &contents, e) < 0)
		result = err_wrap(e, "--service-account-file");
	else
		result = take(buf_view(&contents), "service-account-file", ret_token, e);
	buf_done_secret(&contents);
	return result;
}

void service_account_hide(const char *text)
{
	char *argument = (char *)(uintptr_t)text; /* argv is the program's to write to */

	for (char *at = argument; at && *at; at++)
		*at = 'x';
}
