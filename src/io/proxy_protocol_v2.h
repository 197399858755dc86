#pragma once

/*
 * proxy_protocol_v2.h - the binary header; for proxy_protocol*.c only
 */

#include "io/proxy_protocol.h"

#define PROXY_V2_SIGNATURE      "\r\n\r\n\0\r\nQUIT\n"
#define PROXY_V2_SIGNATURE_SIZE 12

/* signature, version and command, family and transport, length of the rest */
#define PROXY_V2_FIXED_SIZE 16

/* data: at least PROXY_V2_FIXED_SIZE bytes that begin with the signature. */
enum proxy_header_result proxy_header_parse_v2(struct str data, struct proxy_header *ret,
					       size_t *ret_need, struct err *e);

/* CRC-32C (Castagnoli): crc is 0 at first, then the result for the bytes before. */
uint32_t proxy_crc32c(uint32_t crc, const void *data, size_t len);
