/* Keeps all in memory, line and file, until the end; only then is there a file. */
#include "send_setup.h"

int main(int argc, char *argv[])
{
    const char *name;
    char *data = NULL;
    size_t len = 0, room = 0;
    ssize_t n;
    int conn_fd = open_connection(argc, argv, &name);

    do {
        if (room - len < 5000 && (data = realloc(data, room = 2 * room + 10000)) == NULL)
            fail("realloc");
        while ((n = recv(conn_fd, data + len, 5000, 0)) < 0 && errno == EINTR)
            ;
        if (n < 0)
            fail("recv");
        len += (size_t)n;
    } while (n > 0);

    char *end = memchr(data, '\n', len);
    if (end == NULL)
        refuse("no line came");
    *end++ = '\0';
    if (name == NULL)
        name = strrchr(data, '/') != NULL ? strrchr(data, '/') + 1 : data;
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        fail(name);
    if (!put(fd, end, len - (size_t)(end - data))) {
        int why = errno;
        unlink(name);
        errno = why;
        fail(name);
    }
    return 0;
}
