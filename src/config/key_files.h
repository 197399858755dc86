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
