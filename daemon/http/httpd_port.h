/* A listener and its pump, and the guards of its connections. Inside the room httpd only. */
#ifndef HTTP_HTTPD_PORT_H
#define HTTP_HTTPD_PORT_H

#include "http/httpd_room.h"

struct httpd_port *httpd_port_new(struct httpd *httpd, int listener, bool tls);
void httpd_port_close(struct httpd_port *port); /* takes no more connections */
void httpd_port_drain(struct httpd_port *port); /* lets MHD write what it has */
void httpd_port_free(struct httpd_port *port);
void httpd_port_poke(struct httpd_port *port); /* MHD has work that it does not know of */
/* Cuts the connection after deadline_ms (0: never), after the grace when the client has hung up. */
void httpd_guard(struct httpd_connection *connection, int64_t deadline_ms);
/* The pump's next delay when MHD asks for mhd_ms; counts zeros in a row in *zeros. */
int64_t httpd_pump_delay(int *zeros, int64_t mhd_ms);

#endif
