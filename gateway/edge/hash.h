/* Hashes for bucket tables of authenticated entries: seeded, without cryptography. */
#ifndef SLUICE_EDGE_HASH_H
#define SLUICE_EDGE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_word(uint64_t hash, uint64_t word);
uint64_t hash_bytes(uint64_t hash, const void *data, size_t len);

#endif
