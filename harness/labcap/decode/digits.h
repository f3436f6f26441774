/* digits.h - numbers in decimal digits, without stdio: a trace may have millions of them. */
#ifndef LABCAP_DIGITS_H
#define LABCAP_DIGITS_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20, DIGITS_AT_ONCE = 8 }; /* of any uint64_t */

static const uint32_t digits_limit = 100000000; /* a number of DIGITS_AT_ONCE is below it */

/* The numbers that most are: below DIGITS_FEW. */
enum { DIGITS_FEW = 1000 };

extern const struct digits_few {
    char text[3];
    uint8_t length;
} digits_few[DIGITS_FEW];

/* The eight digits of a number below digits_limit, an octet each, the first one lowest: halves of
 * it, their halves and the halves of these side by side, without a branch. */
static inline uint64_t digits_octets(uint32_t number)
{
    uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32, hundreds, pairs, tens;

    hundreds = fours * 10486 >> 20 & 0x0000007f0000007f; /* 10486 / 2^20 is 1 / 100 */
    pairs = hundreds | (fours - hundreds * 100) << 16;
    tens = pairs * 103 >> 10 & 0x000f000f000f000f; /* 103 / 2^10 is 1 / 10 */
    return tens | (pairs - tens * 10) << 8;
}

/* How many digits a number has. */
static inline unsigned digits_count(uint64_t number)
{
    static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
                                      1000000000, 10000000000, 100000000000, 1000000000000,
                                      10000000000000, 100000000000000, 1000000000000000,
                                      10000000000000000, 100000000000000000, 1000000000000000000,
                                      10000000000000000000u};
    unsigned bits, least;

    if (number < DIGITS_FEW)
        return digits_few[number].length;
    bits = 64 - (unsigned)__builtin_clzll(number);
    least = bits * 1233 >> 12; /* 1233 / 2^12 is the logarithm of 2 */
    return least + (number >= powers[least]);
}

static inline void digits_store(char *to, uint64_t octets)
{
    uint64_t text = htole64(octets);

    memcpy(to, &text, sizeof text);
}

/* Writes the last eight digits of a number below digits_limit, with zeros before it. */
static inline void digits_eight(char *to, uint32_t number)
{
    digits_store(to, digits_octets(number) | 0x3030303030303030);
}

/* The same without the zeros. Writes DIGITS_AT_ONCE characters in any case. */
static inline char *digits_some(char *to, uint32_t number)
{
    uint64_t octets = digits_octets(number);
    unsigned zeros = (unsigned)__builtin_ctzll(octets | (uint64_t)1 << 56) / 8;

    digits_store(to, (octets | 0x3030303030303030) >> 8 * zeros);
    return to + DIGITS_AT_ONCE - zeros;
}

/* Writes all digits of a number; there must be room for DIGITS_MAX. Returns their end. */
static inline char *digits_all(char *to, uint64_t number)
{
    if (number < DIGITS_FEW) {
        memcpy(to, &digits_few[number], sizeof digits_few[number]);
        return to + digits_few[number].length;
    }
    if (__builtin_expect(number < digits_limit, 1))
        return digits_some(to, (uint32_t)number);
    if (number / digits_limit < digits_limit) {
        to = digits_some(to, (uint32_t)(number / digits_limit));
    } else {
        to = digits_some(to, (uint32_t)(number / digits_limit / digits_limit));
        digits_eight(to, (uint32_t)(number / digits_limit % digits_limit));
        to += DIGITS_AT_ONCE;
    }
    digits_eight(to, (uint32_t)(number % digits_limit));
    return to + DIGITS_AT_ONCE;
}

/* The same for a number with its sign, in one character more. */
static inline char *digits_signed(char *to, int64_t number)
{
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    *to = '-';
    return digits_all(to + (number < 0), magnitude);
}

#endif
