/* lines - see lines.h. */
#include "lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool take_line(struct lines *lines, struct line *line)
{
    size_t len = lines->end - lines->start;
    bool whole = false;

    line->text = lines->buffer + lines->start;

    /* STEP 4: take a line, without its newline. read() knows nothing of
     * lines: it may have given half of one, or a hundred. */
    const char *newline = memchr(line->text, '\n', len);
    if (newline != NULL) {
        line->len = (size_t)(newline - line->text);
        lines->start += line->len + 1;
        whole = true;
    } else if (lines->ended && len > 0) {       /* the last one has none */
        line->len = len;
        lines->start = lines->end;
        whole = true;
    }
    /* END STEP 4; stub:
    line->len = 0;
    if (lines->ended)
        lines->start = lines->end; */

    if ((whole ? line->len : len) > MAX_DATAGRAM) {
        errno = EMSGSIZE;               /* no datagram can hold it, and two  */
        die("stdin");                   /* datagrams would be two lines      */
    }
    return whole;
}

void read_more(struct lines *lines)
{
    /* Half a line, perhaps, makes room by moving to the front. */
    memmove(lines->buffer, lines->buffer + lines->start,
            lines->end - lines->start);
    lines->end -= lines->start;
    lines->start = 0;

    ssize_t n = read(STDIN_FILENO, lines->buffer + lines->end,
                     sizeof lines->buffer - lines->end);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        die("stdin");
    if (n == 0)
        lines->ended = true;
    if (n > 0)
        lines->end += (size_t)n;
}
