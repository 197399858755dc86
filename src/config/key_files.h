#pragma once

/*
 * key_files.h - secrets, certificates and private keys: inline or from files
 *
 * Private to the module. Problems go to the loader's report and never contain the value.
 */

#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

#define KEY_FILE_MAX (1u << 20)

/* Memory that is wiped when the configuration is freed. */
struct config_secret {
	struct config_secret *next;
	struct buf bytes;
};

void config_secrets_wipe(struct config *config);

/* shared_secret and cookie_secret: standard base64 of 32 bytes; a file wins over the inline value. */
void secrets_load(struct loader *l, const struct options *options, struct config *config);

/* All pairs, as PEM text. Whether they fit is for others to find out. */
void certificates_load(struct loader *l, const struct options *options, struct config *config);

/* A secret text: the file's, without the newline at its end, wins over the inline one. Empty if neither is set. */
struct secret_text {
	const char *key;
	const struct text_value *text;
	const char *file_key;
	const struct text_value *file;
};

struct str secret_text_load(struct loader *l, const struct secret_text *source,
			    struct config *config);

/* A PEM text, inline as base64 or in a file. */
struct pem_source {
	const struct value_path *up; /* NULL: top level */
	const char *key;             /* of the inline form; the other one is "<key>_file" */
	const struct sourced_value *value;
	const char *block; /* what must be in it: "CERTIFICATE"; NULL: not looked at */
};

bool pem_is_set(const struct pem_source *source);

/* Of the form that is used. */
struct position sourced_position(const struct sourced_value *value);

/* Both forms are an error. Empty if neither is set. */
struct str pem_load(struct loader *l, const struct pem_source *source, struct config *config);

/* One without the other is an error. false: neither is set, or reported. */
bool pem_pair_load(struct loader *l, const struct pem_source *certificate,
		   const struct pem_source *key, struct config *config,
		   struct config_key_pair *ret);

/* certificate_authority(_file): PEM text. */
struct str authority_load(struct loader *l, const struct options *options, struct config *config);

/* signing_key(_file): PEM text, also of base64 of it. */
struct str signing_key_load(struct loader *l, const struct options *options, struct config *config);
