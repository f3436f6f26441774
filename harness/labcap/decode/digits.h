/* digits.h - numbers in decimal digits, without stdio: a trace may have millions of them. */
#ifndef LABCAP_DIGITS_H
#define LABCAP_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20 }; /* of any uint64_t */

/* Writes the last `n` digits of a number, with zeros before it. */
static inline void digits_last(char *to, uint64_t number, size_t n)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142"
        "43444546474849505152535455565758596061626364656667686970717273747576777879808182838485"
        "8687888990919293949596979899";

    for (; n >= 2; number /= 100)
        memcpy(to + (n -= 2), pairs + number % 100 * 2, 2);
    if (n > 0)
        *to = (char)('0' + number % 10);
}

/* Writes all digits of a number, DIGITS_MAX characters at most. Returns their end. */
static inline char *digits_all(char *to, uint64_t number)
{
    static const uint64_t powers[] = {
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
        100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
        10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u};
    size_t digits;

    if (number < 10) {
        *to = (char)('0' + number);
        return to + 1;
    }
    /* Of the lowest number of so many bits, or one fewer: log 2 is 1233/4096. */
    digits = (size_t)(64 - __builtin_clzll(number)) * 1233 / 4096;
    digits += number >= powers[digits];
    digits_last(to, number, digits);
    return to + digits;
}

#endif
