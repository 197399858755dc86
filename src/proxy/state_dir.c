#include "proxy/state_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"

#define PATH_MAX_LEN    4096
#define SECRET_FILE_MAX 128

int state_dir_path(struct buf *out, struct err *e)
{
	static const struct {
		const char *variable;
		const char *below;
	} rows[] = {
		{ "STATE_DIRECTORY", "" },
		{ "XDG_DATA_HOME", "/pomerium" },
		{ "HOME", "/.local/share/pomerium" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *base = getenv(rows[i].variable);

		if (base && *base)
			return buf_printf(out, "%s%s", base, rows[i].below);
	}
	return err_set(e, ERR_CONFIG,
		       "there is no state directory: set STATE_DIRECTORY, XDG_DATA_HOME or HOME");
}

static int read_secret(const char *path, uint8_t out[STATE_SECRET_SIZE], struct err *e)
{
	struct buf text = BUF_INIT(SECRET_FILE_MAX);
	struct buf secret = BUF_INIT(STATE_SECRET_SIZE);
	int result = file_read(path, &text, e);

	if (result == 0 &&
	    (base64_decode(&secret, BASE64_STANDARD, str_trim(buf_view(&text))) < 0 ||
	     secret.len != STATE_SECRET_SIZE))
		result = err_set(e, ERR_CONFIG, "%s does not hold 32 bytes in base64", path);
	if (result == 0)
		memcpy(out, secret.data, STATE_SECRET_SIZE);
	buf_done_secret(&text);
	buf_done_secret(&secret);
	return result;
}

static int create_secret(const char *path, uint8_t out[STATE_SECRET_SIZE], struct err *e)
{
	struct buf text = BUF_INIT(SECRET_FILE_MAX);
	int result;

	random_bytes(out, STATE_SECRET_SIZE);
	(void)base64_encode(&text, BASE64_STANDARD, out, STATE_SECRET_SIZE);
	(void)buf_append_char(&text, '\n');
	result = file_create(path, buf_view(&text), 0600, e);
	buf_done_secret(&text);
	return result;
}

int state_dir_secret(const char *name, uint8_t out[STATE_SECRET_SIZE], bool *ret_created,
		     struct err *e)
{
	struct buf path = BUF_INIT(PATH_MAX_LEN);
	_cleanup_(mem_freep) char *dir = NULL;
	_cleanup_(mem_freep) char *file = NULL;

	if (state_dir_path(&path, e) < 0) {
		buf_done(&path);
		return -1;
	}
	dir = buf_take_string(&path);
	(void)buf_printf(&path, "%s/%s", dir, name);
	file = buf_take_string(&path);
	*ret_created = access(file, F_OK) != 0 && errno == ENOENT;
	if (!*ret_created)
		return read_secret(file, out, e);
	if (dir_create(dir, 0700, e) < 0)
		return -1;
	return create_secret(file, out, e);
}
