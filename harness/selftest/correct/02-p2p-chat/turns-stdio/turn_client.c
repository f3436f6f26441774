/* Streams for all: getdelim() in, fwrite() out, the socket with one stream for each way. */
#include "setup.h"

static ssize_t read_line(FILE *source, char **text, size_t *size, const char *what)
{
    ssize_t len = getdelim(text, size, '\n', source);

    if (len < 0 && ferror(source))
        fail(what);
    return len;
}

static void write_line(FILE *target, const char *text, ssize_t len, bool ended, const char *what)
{
    fwrite(text, 1, (size_t)len, target);
    if (ended && text[len - 1] != '\n')
        putc('\n', target);
    if (fflush(target) == EOF || ferror(target))
        fail(what);
}

static bool is_word(const char *text, ssize_t len, const char *word)
{
    return len - (text[len - 1] == '\n') == (ssize_t)strlen(word)
        && memcmp(text, word, strlen(word)) == 0;
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv);
    FILE *from_peer = fdopen(conn_fd, "r"), *to_peer = fdopen(dup(conn_fd), "w");
    bool hearing = is_server();
    char *text = NULL;
    size_t size = 0;
    ssize_t len;

    if (from_peer == NULL || to_peer == NULL)
        fail("fdopen");
    for (;; hearing = !hearing) {
        if (hearing) {
            if ((len = read_line(from_peer, &text, &size, "recv")) < 0)
                break;
            write_line(stdout, text, len, false, "stdout");
            if (is_server() && is_word(text, len, "stop"))
                break;
        } else {
            if ((len = read_line(stdin, &text, &size, "stdin")) < 0
                || (!is_server() && is_word(text, len, "exit")))
                break;
            write_line(to_peer, text, len, true, "send");
        }
    }
    free(text);
    shutdown(conn_fd, SHUT_WR);
    while (getc(from_peer) != EOF)
        ;
    return 0;
}
