/*
 * key_files.c - whatever is or may hold a key goes through buffers that are wiped
 */

#include "config/key_files.h"

#include <stdio.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/mem.h"

/* Takes the bytes into the configuration's care and returns them. */
static struct str keep_secret(struct config *config, struct buf *bytes)
{
	struct config_secret *secret = mem_alloc(sizeof(*secret));

	buf_move(&secret->bytes, bytes);
	secret->next = config->secrets;
	config->secrets = secret;
	return buf_view(&secret->bytes);
}

void config_secrets_wipe(struct config *config)
{
	struct config_secret *secret = config->secrets;

	while (secret) {
		struct config_secret *next = secret->next;

		buf_done_secret(&secret->bytes);
		mem_free(secret);
		secret = next;
	}
	config->secrets = NULL;
	mem_wipe(config->keys.shared_secret, sizeof(config->keys.shared_secret));
	mem_wipe(config->keys.cookie_secret, sizeof(config->keys.cookie_secret));
}

static int read_file(struct loader *l, const struct value_path *path, const struct text_value *name,
		     struct buf *out)
{
	struct err e = { 0 };

	if (str_is_empty(name->text)) {
		loader_value_error(l, path, name->at, "must not be empty");
		return -1;
	}
	const char *file = arena_copy_string(l->arena, name->text);
	report_add_file(l->report, file);
	if (file_read(file, out, &e) < 0) {
		loader_value_error(l, path, name->at, "%s", e.text);
		return -1;
	}
	return 0;
}

/* An editor ends a file with a newline; it is not part of the secret. */
static struct str without_newlines(struct str s)
{
	while (s.len && (s.at[s.len - 1] == '\n' || s.at[s.len - 1] == '\r'))
		s.len--;
	return s;
}

struct secret_source {
	const char *key;
	const struct text_value *text;
	const char *file_key;
	const struct text_value *file;
};

static bool decode_secret(struct loader *l, const struct value_path *path, struct position at,
			  struct str text, uint8_t out[CONFIG_SECRET_SIZE])
{
	struct buf bytes = BUF_INIT(KEY_FILE_MAX);
	bool is_good = false;

	if (base64_decode(&bytes, BASE64_STANDARD, text) < 0)
		loader_value_error(l, path, at, "is not standard base64 (without blanks)");
	else if (bytes.len != CONFIG_SECRET_SIZE)
		loader_value_error(l, path, at, "must be the base64 of %d bytes, not of %zu",
				   CONFIG_SECRET_SIZE, bytes.len);
	else
		is_good = true;
	if (is_good)
		memcpy(out, bytes.data, CONFIG_SECRET_SIZE);
	buf_done_secret(&bytes);
	return is_good;
}

static bool load_secret(struct loader *l, const struct secret_source *source,
			uint8_t out[CONFIG_SECRET_SIZE])
{
	struct value_path path = { .key = str_from(source->key) };
	struct value_path file_path = { .key = str_from(source->file_key) };
	struct buf text = BUF_INIT(KEY_FILE_MAX);
	bool is_there = false;

	if (!str_is_empty(source->file->text)) {
		if (read_file(l, &file_path, source->file, &text) == 0)
			is_there = decode_secret(l, &file_path, source->file->at,
						 without_newlines(buf_view(&text)), out);
	} else if (!str_is_empty(source->text->text)) {
		is_there = decode_secret(l, &path, source->text->at, source->text->text, out);
	}
	buf_done_secret(&text);
	return is_there;
}

void secrets_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct secret_source shared = { "shared_secret", &options->shared_secret.text,
					      "shared_secret_file", &options->shared_secret.file };
	const struct secret_source cookie = { "cookie_secret", &options->cookie_secret.text,
					      "cookie_secret_file", &options->cookie_secret.file };

	config->keys.has_shared_secret = load_secret(l, &shared, config->keys.shared_secret);
	config->keys.has_cookie_secret = load_secret(l, &cookie, config->keys.cookie_secret);
}

static struct str read_pem_file(struct loader *l, const struct value_path *path,
				const struct text_value *name, struct config *config)
{
	struct buf pem = BUF_INIT(KEY_FILE_MAX);

	if (read_file(l, path, name, &pem) < 0) {
		buf_done_secret(&pem);
		return (struct str){ 0 };
	}
	if (!pem.len)
		loader_value_error(l, path, name->at, "the file is empty");
	return keep_secret(config, &pem);
}

/* Line breaks are allowed: certificates are long, and the reference's decoder skips them. */
static struct str decode_pem(struct loader *l, const struct value_path *path,
			     const struct text_value *text, struct config *config)
{
	struct buf compact = BUF_INIT(CONFIG_FILE_MAX);
	struct buf pem = BUF_INIT(KEY_FILE_MAX);

	(void)buf_reserve(&compact, text->text.len); /* the file it comes from is not larger */
	for (size_t i = 0; i < text->text.len; i++)
		if (text->text.at[i] != '\n' && text->text.at[i] != '\r')
			(void)buf_append_char(&compact, text->text.at[i]);

	int result = base64_decode(&pem, BASE64_STANDARD, buf_view(&compact));
	buf_done_secret(&compact);
	if (result < 0 || !pem.len) {
		loader_value_error(l, path, text->at, "is not standard base64 of PEM text");
		buf_done_secret(&pem);
		return (struct str){ 0 };
	}
	return keep_secret(config, &pem);
}

bool pem_is_set(const struct pem_source *source)
{
	return source->value->text.text.len || source->value->file.text.len;
}

/* Only whether there is one: what is in it is for those to say who can read it. */
static bool has_block(struct str pem, const char *block)
{
	char begin[64];

	(void)snprintf(begin, sizeof(begin), "-----BEGIN %s-----", block);
	return str_contains(pem, str_from(begin));
}

struct str pem_load(struct loader *l, const struct pem_source *source, struct config *config)
{
	const struct text_value *text = &source->value->text;
	const struct text_value *file = &source->value->file;
	struct value_path path = { .up = source->up, .key = str_from(source->key) };
	struct value_path file_path = { .up = source->up };
	size_t errors_before = l->report->error_count;
	bool is_inline = text->text.len > 0;

	if (!pem_is_set(source))
		return (struct str){ 0 };
	file_path.key = arena_printf(l->arena, "%s_file", source->key);
	if (is_inline && file->text.len) {
		loader_key_error(l, &file_path, file->at, "and %s exclude each other", source->key);
		return (struct str){ 0 };
	}
	struct str pem = is_inline ? decode_pem(l, &path, text, config)
				   : read_pem_file(l, &file_path, file, config);
	if (source->block && l->report->error_count == errors_before &&
	    !has_block(pem, source->block))
		loader_value_error(l, is_inline ? &path : &file_path,
				   is_inline ? text->at : file->at,
				   "there is no -----BEGIN %s----- in it", source->block);
	return pem;
}

struct position sourced_position(const struct sourced_value *value)
{
	return value->text.text.len ? value->text.at : value->file.at;
}

bool pem_pair_load(struct loader *l, const struct pem_source *certificate,
		   const struct pem_source *key, struct config *config, struct config_key_pair *ret)
{
	const struct pem_source *one = pem_is_set(certificate) ? certificate : key;
	const struct pem_source *other = one == key ? certificate : key;
	bool is_inline = one->value->text.text.len > 0;
	struct position at = sourced_position(one->value);
	struct value_path path = { .up = one->up };
	char origin[VALUE_PATH_TEXT_MAX];
	char place[POSITION_TEXT_MAX];

	if (!pem_is_set(one))
		return false;
	path.key = arena_printf(l->arena, "%s%s", one->key, is_inline ? "" : "_file");
	if (!pem_is_set(other)) {
		loader_key_error(l, &path, at, "needs %s%s too", other->key,
				 is_inline ? "" : "_file");
		return false;
	}
	value_path_format(&path, origin);
	position_format(at, place);
	size_t errors_before = l->report->error_count;
	*ret = (struct config_key_pair){
		.certificate_pem = pem_load(l, certificate, config),
		.key_pem = pem_load(l, key, config),
		.origin = arena_printf(&config->arena, "%s: %s", place, origin).at,
	};
	return l->report->error_count == errors_before;
}

struct pair_source {
	const struct value_path *up; /* NULL: top level */
	const char *certificate_key;
	const struct text_value *certificate;
	const char *key_key;
	const struct text_value *key;
	struct position at;
	struct str (*read)(struct loader *l, const struct value_path *path,
			   const struct text_value *value, struct config *config);
};

static void load_pair(struct loader *l, const struct pair_source *source, struct config *config)
{
	bool has_certificate = value_is_set(source->certificate->at);
	bool has_key = value_is_set(source->key->at);
	struct value_path certificate = { .up = source->up,
					  .key = str_from(source->certificate_key) };
	struct value_path key = { .up = source->up, .key = str_from(source->key_key) };

	if (!has_certificate && !has_key) {
		if (source->up)
			loader_key_error(l, source->up, source->at, "needs %s and %s",
					 source->certificate_key, source->key_key);
		return;
	}
	if (!has_certificate || !has_key) {
		loader_key_error(l, has_key ? &key : &certificate,
				 has_key ? source->key->at : source->certificate->at,
				 "needs %s too",
				 has_key ? source->certificate_key : source->key_key);
		return;
	}
	char origin[VALUE_PATH_TEXT_MAX];
	char place[POSITION_TEXT_MAX];
	struct position at = source->certificate->at;

	value_path_format(source->up ? source->up : &certificate, origin);
	position_format(at, place);
	size_t errors_before = l->report->error_count;
	struct config_key_pair *pair = &config->tls.key_pairs[config->tls.key_pair_count];
	*pair = (struct config_key_pair){
		.certificate_pem = source->read(l, &certificate, source->certificate, config),
		.key_pem = source->read(l, &key, source->key, config),
		.origin = arena_printf(&config->arena, "%s: %s", place, origin).at,
	};
	if (l->report->error_count == errors_before) /* or it would be told once more */
		config->tls.key_pair_count++;
}

void certificates_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct certificate_options *files = options->certificates.pairs.items;
	size_t count = options->certificates.pairs.count;
	const struct pair_source text = {
		.certificate_key = "certificate",
		.certificate = &options->certificates.certificate.text,
		.key_key = "certificate_key",
		.key = &options->certificates.key.text,
		.read = decode_pem,
	};
	const struct pair_source file = {
		.certificate_key = "certificate_file",
		.certificate = &options->certificates.certificate.file,
		.key_key = "certificate_key_file",
		.key = &options->certificates.key.file,
		.read = read_pem_file,
	};
	struct value_path list = { .key = STR("certificates") };

	config->tls.key_pairs = arena_alloc_array(&config->arena, count + 2,
						  sizeof(*config->tls.key_pairs));
	load_pair(l, &text, config);
	load_pair(l, &file, config);
	for (size_t i = 0; i < count; i++) {
		struct value_path item = { .up = &list, .index = i };
		const struct pair_source pair = {
			.up = &item,
			.certificate_key = "cert",
			.certificate = &files[i].cert,
			.key_key = "key",
			.key = &files[i].key,
			.at = files[i].at,
			.read = read_pem_file,
		};

		load_pair(l, &pair, config);
	}
}

struct str secret_text_load(struct loader *l, const struct secret_text *source,
			    struct config *config)
{
	struct value_path file_path = { .key = str_from(source->file_key) };
	struct buf text = BUF_INIT(KEY_FILE_MAX);

	if (str_is_empty(source->file->text)) {
		if (buf_append_str(&text, source->text->text) < 0) {
			struct value_path path = { .key = str_from(source->key) };

			loader_value_error(l, &path, source->text->at, "is too long");
		}
		return keep_secret(config, &text);
	}
	if (read_file(l, &file_path, source->file, &text) == 0) {
		buf_truncate(&text, without_newlines(buf_view(&text)).len);
		if (!text.len)
			loader_value_error(l, &file_path, source->file->at, "the file is empty");
	}
	return keep_secret(config, &text);
}

struct str authority_load(struct loader *l, const struct options *options, struct config *config)
{
	struct value_path path = { .key = STR("certificate_authority") };
	struct value_path file_path = { .key = STR("certificate_authority_file") };

	config->tls.authority_at = sourced_position(&options->certificates.authority);
	if (!str_is_empty(options->certificates.authority.text.text))
		return decode_pem(l, &path, &options->certificates.authority.text, config);
	if (!str_is_empty(options->certificates.authority.file.text))
		return read_pem_file(l, &file_path, &options->certificates.authority.file, config);
	return (struct str){ 0 };
}

struct str signing_key_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct sourced_value *o = &options->assertion.signing_key;
	const struct secret_text source = { "signing_key", &o->text, "signing_key_file", &o->file };
	bool is_from_file = !str_is_empty(o->file.text);
	struct value_path path = { .key = str_from(is_from_file ? source.file_key : source.key) };
	struct text_value value = { .at = is_from_file ? o->file.at : o->text.at };

	config->assertion.signing_key_at = value.at;
	value.text = str_trim(secret_text_load(l, &source, config));
	if (str_is_empty(value.text) || str_starts_with(value.text, STR("-----BEGIN ")))
		return value.text;
	struct str pem = decode_pem(l, &path, &value, config);
	if (pem.len && !str_contains(pem, STR("-----BEGIN ")))
		loader_value_error(l, &path, value.at, "is neither PEM nor base64 of it");
	return pem;
}
