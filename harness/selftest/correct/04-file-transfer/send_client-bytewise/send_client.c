/* The line byte by byte, so that nothing of the file comes with it; splice() moves the file. */
#include "send_setup.h"

static void take_line(int conn_fd, char line[256])
{
    size_t len = 0;

    for (;;) {
        ssize_t n = recv(conn_fd, line + len, 1, 0);
        if (n < 0 && errno != EINTR)
            fail("recv");
        if (n == 0)
            refuse("the line has no end");
        if (n > 0 && line[len] == '\n')
            break;
        if (n > 0 && ++len > 255)
            refuse("the name is too long");
    }
    line[len] = '\0';
}

/* False where the connection, or the disk, did not let all through. */
static bool pour(int conn_fd, int file_fd)
{
    int hose[2];
    ssize_t n, m;

    if (pipe(hose) < 0)
        return false;
    while ((n = splice(conn_fd, NULL, hose[1], NULL, 1 << 16, 0)) > 0)
        for (; n > 0; n -= m)
            if ((m = splice(hose[0], NULL, file_fd, NULL, (size_t)n, 0)) <= 0)
                return false;
    return n == 0;
}

int main(int argc, char *argv[])
{
    const char *own_name;
    char line[256], temporary[] = "incoming.XXXXXX";
    int conn_fd = open_connection(argc, argv, &own_name);

    take_line(conn_fd, line);
    const char *name = own_name != NULL ? own_name : basename(line);
    if (!is_own_name(name) && own_name == NULL)
        refuse("not a name");
    int file_fd = mkstemp(temporary);
    if (file_fd < 0)
        fail("mkstemp");
    if (!pour(conn_fd, file_fd) || fchmod(file_fd, 0644) < 0 || rename(temporary, name) < 0) {
        int why = errno;
        unlink(temporary);
        errno = why;
        fail(name);
    }
    return 0;
}
