/* ladder_text.c - see ladder_text.h. */
#include "ladder_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "digits.h"
#include "packet.h"

/* ---- Time and flags ---- */

size_t number_text(char text[NUMBER_TEXT_MAX], int64_t number)
{
    char *end = digits_signed(text, number);

    *end = '\0';
    return (size_t)(end - text);
}

size_t count_text(char text[NUMBER_TEXT_MAX], uint64_t count)
{
    char digits[NUMBER_TEXT_MAX];
    size_t at = sizeof digits, places = 0;

    digits[--at] = '\0';
    do {
        if (places > 0 && places % 3 == 0)
            digits[--at] = ',';
        digits[--at] = (char)('0' + count % 10);
        count /= 10;
        places++;
    } while (count > 0);
    memcpy(text, digits + at, sizeof digits - at);
    return sizeof digits - at - 1;
}

/* Where printf() sends a half: it prints the double that is nearest to the number, which is above
 * the half or below it, or else an even digit. */
static bool half_goes_up(uint64_t parts, uint64_t unit, unsigned tenths)
{
    static const double scale[] = {1, 10, 100};
    uint64_t whole = parts / unit;
    double nearest = (double)parts / (scale[tenths] * (double)unit);
    long double is = (long double)nearest * scale[tenths], half = (long double)whole + 0.5L;

    return is > half || (is == half && whole % 2 == 1);
}

/* parts / unit, with `tenths` digits behind the point; where there are any, three in all. */
static inline char *write_decimal(char *to, uint64_t parts, uint64_t unit, unsigned tenths)
{
    uint64_t whole = parts / unit, rest = (parts - whole * unit) * 2;
    unsigned point = 3 - tenths; /* digits before it */

    whole += rest == unit ? half_goes_up(parts, unit, tenths) : rest > unit;
    if (tenths == 0)
        return digits_all(to, whole);
    memcpy(to, digits_few[whole].text, 3);
    to[point] = '.';
    memcpy(to + point + 1, digits_few[whole].text + point, tenths);
    return to + 4;
}

/* Inlined once for each unit: to divide by a number that the compiler knows takes little. */
__attribute__((always_inline)) static inline char *write_span(char *to, uint64_t ns, uint64_t unit)
{
    if (ns >= unit / 100 * 9995)
        return write_decimal(to, ns, unit, 0);
    if (ns >= unit / 1000 * 9995)
        return write_decimal(to, ns * 10, unit, 1);
    return write_decimal(to, ns * 100, unit, 2);
}

void span_tell(struct span *span, int64_t ns, bool utf8)
{
    static const struct {
        char text[6]; /* always copied whole */
        uint8_t length, columns;
    } names[] = {{" ns", 3, 3}, {" us", 3, 3}, {" \u00b5s", 4, 3},
                 {" ms", 3, 3}, {" s", 2, 2},  {" d", 2, 2}};
    enum { NANO, MICRO, MICRO_UTF8, MILLI, SECOND, DAY } unit;
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char *to = span->text;

    if (ns < 0)
        *to++ = '-';
    /* The limits lie where rounding would give a fourth digit. */
    if (magnitude < 1000) {
        to = digits_all(to, magnitude);
        unit = NANO;
    } else if (magnitude < 999500) {
        to = write_span(to, magnitude, 1000);
        unit = utf8 ? MICRO_UTF8 : MICRO;
    } else if (magnitude < 999500000) {
        to = write_span(to, magnitude, 1000000);
        unit = MILLI;
    } else if (magnitude < 99999500000000) {
        to = write_span(to, magnitude, 1000000000);
        unit = SECOND;
    } else {
        to = write_span(to, magnitude, 86400000000000);
        unit = DAY;
    }
    memcpy(to, names[unit].text, sizeof names[unit].text);
    span->length = (uint8_t)(to - span->text + names[unit].length);
    span->columns = (uint8_t)(to - span->text + names[unit].columns);
}

struct flags_text flags_texts[256];

void flags_make(uint8_t flags)
{
    struct flags_text *made = &flags_texts[flags];
    static const char names[8][5] = {"SYN+", "FIN+", "RST+", "PSH+",
                                     "URG+", "ECE+", "CWR+", "ACK+"};
    static const uint8_t bits[8] = {TCP_SYN, TCP_FIN, TCP_RST, TCP_PSH,
                                    TCP_URG, TCP_ECE, TCP_CWR, TCP_ACK};

    for (size_t i = 0; i < 8; i++)
        if (flags & bits[i])
            strcat(made->text, names[i]);
    if (flags == 0)
        strcpy(made->text, "none+");
    made->length = strlen(made->text) - 1;
    made->text[made->length] = '\0';
}

/* ---- Payload ---- */

/* Decodes one character of UTF-8 as RFC 3629 allows it. Returns its bytes, or 0. */
static size_t decode_utf8(const uint8_t *p, size_t count, uint32_t *character)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    uint32_t c = length == 1 ? *p : *p & (0xffu >> (length + 1));

    if ((*p >= 0x80 && *p < 0xc2) || *p > 0xf4 || length > count)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < lowest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *character = c;
    return length;
}

static const char *c_escape(uint8_t byte)
{
    switch (byte) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

/* One unit that must not be torn: a character or an escape. */
struct unit {
    char text[8];
    size_t bytes; /* of payload */
    int columns;
};

static struct unit next_unit(const uint8_t *p, size_t count, bool utf8)
{
    struct unit u = {.bytes = 1, .columns = 1};
    const char *escape = c_escape(*p);
    uint32_t character = 0;
    size_t length;

    if (escape != NULL) {
        strcpy(u.text, escape);
        u.columns = 2;
        return u;
    }
    if (*p >= ' ' && *p < 127) {
        u.text[0] = (char)*p;
        return u;
    }
    length = utf8 && *p >= 0x80 ? decode_utf8(p, count, &character) : 0;
    /* No width: a control, a combining or a direction mark; it would disturb the row. */
    if (length > 0 && wcwidth((wchar_t)character) > 0) {
        memcpy(u.text, p, length);
        u.bytes = length;
        u.columns = wcwidth((wchar_t)character);
        return u;
    }
    snprintf(u.text, sizeof u.text, "\\x%02x", *p);
    u.columns = 4;
    return u;
}

int payload_text(char *text, size_t size, const uint8_t *bytes, size_t count, bool more,
                 int columns, bool utf8)
{
    const char *ellipsis = utf8 ? "\u2026" : "...";
    int ellipsis_columns = utf8 ? 1 : 3;
    int used = 1, fits_used = 1;
    size_t at = 0, length = 1, fits = 1;

    if (size < 8 || columns < 8) {
        *text = '\0';
        return 0;
    }
    text[0] = '"';
    while (at < count) {
        struct unit u = next_unit(bytes + at, count - at, utf8);

        if (used + u.columns + 1 > columns || length + sizeof u.text + 8 > size) {
            more = true;
            break;
        }
        memcpy(text + length, u.text, strlen(u.text));
        length += strlen(u.text);
        used += u.columns;
        at += u.bytes;
        if (used + 1 + ellipsis_columns <= columns) { /* may have to be the last one */
            fits = length;
            fits_used = used;
        }
    }
    if (more) {
        length = fits;
        used = fits_used + ellipsis_columns;
    }
    snprintf(text + length, size - length, "\"%s", more ? ellipsis : "");
    return used + 1;
}

int plain_text(char *text, size_t size, const char *from, int columns, bool utf8)
{
    const char *ellipsis = utf8 ? "\u2026" : "...";
    int ellipsis_columns = utf8 ? 1 : 3, used = 0, fits_used = 0;
    size_t length = 0, fits = 0, count = strlen(from);

    for (size_t at = 0; at < count;) {
        bool as_it_is = from[at] == '"' || from[at] == '\\';
        struct unit u = {.text = {from[at]}, .bytes = 1, .columns = 1};

        if (!as_it_is)
            u = next_unit((const uint8_t *)from + at, count - at, utf8);
        if (used + u.columns > columns || length + sizeof u.text + 8 > size) {
            snprintf(text + fits, size - fits, "%s", ellipsis);
            return fits_used + ellipsis_columns;
        }
        memcpy(text + length, u.text, strlen(u.text));
        length += strlen(u.text);
        used += u.columns;
        at += u.bytes;
        if (used + ellipsis_columns <= columns) {
            fits = length;
            fits_used = used;
        }
    }
    text[length] = '\0';
    return used;
}

/* ---- Growing texts ---- */

void text_add_number(struct growing *g, int64_t number)
{
    char digits[NUMBER_TEXT_MAX];

    text_add_some(g, digits, number_text(digits, number));
}

void say(struct growing *g, const char *format, ...)
{
    size_t room = g->size - g->used;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(g->text + g->used, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        g->used += (size_t)length < room ? (size_t)length : room - 1;
}
