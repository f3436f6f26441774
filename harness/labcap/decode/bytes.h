/* bytes.h - fetch numbers from packet bytes.
 *
 * Packet bytes are never cast to a struct: alignment, padding and byte order would all be
 * guesses. The caller has checked that the bytes are there; nothing here can check it. */
#ifndef LABCAP_BYTES_H
#define LABCAP_BYTES_H

#include <stdint.h>

static inline uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

#endif
