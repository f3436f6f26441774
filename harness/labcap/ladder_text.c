/* ladder_text.c - see ladder_text.h. */
#include "ladder_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "packet.h"

/* ---- Time and flags ---- */

void span_text(char *text, size_t size, int64_t ns, bool utf8)
{
    /* The limits lie where rounding would give a fourth digit. */
    static const struct {
        double below, unit;
        const char *name;
    } units[] = {
        {999.5, 1, "ns"}, {999.5e3, 1e3, "us"}, {999.5e6, 1e6, "ms"},
        {99999.5e9, 1e9, "s"}, {1e300, 86400e9, "d"}};
    double size_ns = ns < 0 ? -(double)ns : (double)ns;
    size_t u = 0;
    double value;
    const char *name;

    while (size_ns >= units[u].below)
        u++;
    value = size_ns / units[u].unit;
    name = u == 1 && utf8 ? "\u00b5s" : units[u].name;
    snprintf(text, size, "%s%.*f %s", ns < 0 ? "-" : "",
             u == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, name);
}

void flags_text(char *text, size_t size, uint8_t flags)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } names[] = {{TCP_SYN, "SYN"}, {TCP_FIN, "FIN"}, {TCP_RST, "RST"}, {TCP_PSH, "PSH"},
                 {TCP_URG, "URG"}, {TCP_ECE, "ECE"}, {TCP_CWR, "CWR"}, {TCP_ACK, "ACK"}};
    size_t used = 0;

    snprintf(text, size, "none");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((flags & names[i].bit) && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "+" : "",
                                     names[i].name);
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

int text_columns(const char *text, bool utf8)
{
    int columns = 0;

    /* Our own texts hold no wide characters: a character that is not a continuation is one. */
    for (; *text != '\0'; text++)
        columns += !utf8 || (*text & 0xc0) != 0x80;
    return columns;
}
