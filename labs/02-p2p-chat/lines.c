/* lines - see lines.h. */
#include "lines.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

enum { PATIENCE = 5 };                  /* seconds for the peer's FIN */

bool read_line(FILE *source, const char *what, struct line *line)
{
    /* STEP 3: read up to the newline, however many segments that takes, and
     * leave what follows it for the next time. A last line may have none. */
    ssize_t n = getline(&line->text, &line->size, source);
    if (ferror(source) || (n < 0 && !feof(source)))
        die(what);                      /* such as a reset: ECONNRESET */
    if (n <= 0)
        return false;
    line->len = (size_t)n;
    /* END STEP 3; goes on; stub:
    (void)source;
    (void)what;
    line->len = 0;
    return false; */

    return true;
}

void print_line(const struct line *line)
{
    /* STEP 4: print it, and at once: the peer has said it, and now waits. */
    if (fwrite(line->text, 1, line->len, stdout) < line->len
        || fflush(stdout) == EOF)
        die("stdout");
    /* END STEP 4; goes on; stub: (void)line; */
}

void send_line(int conn_fd, struct line *line)
{
    /* STEP 5: send it with its newline, which ends our turn. getline() has
     * left room for one more byte, where the NUL stands. */
    if (line->text[line->len - 1] != '\n')
        line->text[line->len++] = '\n';
    if (send_all(conn_fd, line->text, line->len) < 0)
        die("send");
    /* END STEP 5; stub:
    (void)conn_fd;
    (void)line; */
}

bool is_word(const struct line *line, const char *word)
{
    size_t len = strlen(word);

    return line->len >= len && memcmp(line->text, word, len) == 0
        && (line->len == len
            || (line->len == len + 1 && line->text[len] == '\n'));
}

/* SIGALRM: all is said, and the peer does not hang up. */
static void give_up(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

void hang_up(int conn_fd)
{
    /* STEP 6: send the FIN, then read on until the peer's. Had it said more
     * than one line, a close() would find bytes unread and send a reset. */
    char unwanted[4096];
    ssize_t n;
    if (signal(SIGALRM, give_up) == SIG_ERR)
        die("SIGALRM");
    alarm(PATIENCE);
    if (shutdown(conn_fd, SHUT_WR) < 0 && errno != ENOTCONN)
        die("shutdown");                /* ENOTCONN: recv() will say why */
    do
        n = recv(conn_fd, unwanted, sizeof unwanted, 0);
    while (n > 0 || (n < 0 && errno == EINTR));
    if (n < 0)
        die("recv");
    /* END STEP 6; silent; stub: (void)give_up; */

    if (close(conn_fd) < 0)
        complain("close");
}
