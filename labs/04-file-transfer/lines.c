/* lines - see lines.h. */
#include "lines.h"

#include <errno.h>

#include "net.h"

/* Returns the next byte of the stream, or -1: there is none. */
static int next_byte(struct lines *lines)
{
    if (lines->next == lines->end) {
        ssize_t n = read_some(lines->fd, lines->input, sizeof lines->input);
        if (n == 0)
            errno = 0;
        if (n <= 0)
            return -1;
        lines->next = 0;
        lines->end = (size_t)n;
    }
    return lines->input[lines->next++];
}

/* The same without what is not FTP's, but telnet's, whose form the control
 * connection has (RFC 959, 5.3.2): IAC, a byte and perhaps one more. */
static int next_char(struct lines *lines)
{
    enum { WILL = 251, IAC = 255 };
    int c;

    while ((c = next_byte(lines)) == IAC) {
        c = next_byte(lines);
        if (c == IAC)
            return c;                   /* two are the byte itself */
        if (c >= WILL)
            c = next_byte(lines);
        if (c < 0)
            return c;
    }
    return c;
}

bool take_line(struct lines *lines, char line[LINE_SIZE])
{
    bool fits = true, taken = false;
    size_t len = 0;

    /* STEP 6: take what belongs to one line, up to CR LF or LF alone, and no
     * more: of what is received with it, the rest may be the next command, or
     * half of one. Of a line without end, keep no more than there is room. */
    int c;
    while ((c = next_char(lines)) != '\n') {
        if (c < 0)
            return false;
        fits = fits && c != '\0' && len < LINE_SIZE - 1;
        if (fits)
            line[len++] = (char)c;
    }
    if (len > 0 && line[len - 1] == '\r')
        len--;
    if (!fits)
        len = 0;
    line[len] = '\0';
    taken = true;
    /* END STEP 6; stub:
    (void)next_char;
    (void)lines;
    (void)fits;
    (void)len;
    (void)line;
    errno = 0; */

    return taken;
}
