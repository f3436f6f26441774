/* echo - see echo.h. */
#include "echo.h"

#include <errno.h>
#include <sys/socket.h>

#include "net.h"

enum { BUFFER_SIZE = 16384 };

void echo(int conn_fd)
{
    char buffer[BUFFER_SIZE];

    for (;;) {
        /* STEP 6: receive what is there. TCP is a stream of bytes: one recv()
         * may give half of what was sent with one send(), or two of them. */
        ssize_t n = recv(conn_fd, buffer, sizeof buffer, 0);
        if (n == 0)
            return;                     /* the client's FIN: end of file */
        if (n < 0 && errno == EINTR)
            continue;                   /* a signal came first: no error */
        if (n < 0) {
            complain("recv");           /* a reset ends this client only */
            return;
        }
        /* END STEP 6; stub:
        ssize_t n = 0;
        if (n == 0)
            return; */

        if (send_all(conn_fd, buffer, (size_t)n) < 0) {
            complain("send");
            return;
        }
    }
}
