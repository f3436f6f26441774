/* Reads of a single byte, until it is the newline; many small writes. */
#include "setup.h"

enum { WRITE_SIZE = 1000 };

struct line {
    char *text;
    size_t len, size;
};

static bool read_line(int fd, struct line *line, const char *what)
{
    ssize_t n;
    char byte = '\0';

    line->len = 0;
    while (byte != '\n' && (n = read(fd, &byte, 1)) != 0) {
        if (n < 0)
            fail(what);
        if (line->len == line->size) {
            line->size = line->size * 2 + 80;
            if ((line->text = realloc(line->text, line->size)) == NULL)
                fail("memory");
        }
        line->text[line->len++] = byte;
    }
    return line->len > 0;
}

static void write_line(int fd, const struct line *line, const char *what)
{
    for (size_t done = 0; done < line->len; ) {
        size_t rest = line->len - done;
        ssize_t n = write(fd, line->text + done, rest < WRITE_SIZE ? rest : WRITE_SIZE);
        if (n < 0)
            fail(what);
        done += (size_t)n;
    }
}

static bool is_word(const struct line *line, const char *word)
{
    return line->len - (line->text[line->len - 1] == '\n') == strlen(word)
        && memcmp(line->text, word, strlen(word)) == 0;
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv);
    struct line line = { NULL, 0, 0 };
    char rest[4096];

    for (bool speaking = !is_server(); ; speaking = !speaking) {
        if (!read_line(speaking ? STDIN_FILENO : conn_fd, &line, speaking ? "stdin" : "recv"))
            break;
        if (!speaking) {
            write_line(STDOUT_FILENO, &line, "stdout");
            if (is_server() && is_word(&line, "stop"))
                break;
            continue;
        }
        if (!is_server() && is_word(&line, "exit"))
            break;
        write_line(conn_fd, &line, "send");
        if (line.text[line.len - 1] != '\n' && write(conn_fd, "\n", 1) < 0)
            fail("send");
    }
    shutdown(conn_fd, SHUT_WR);
    while (read(conn_fd, rest, sizeof rest) > 0)
        ;
    return 0;
}
