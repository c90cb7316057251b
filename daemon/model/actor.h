/* Who acts. Borrowed; NULL stands for "". */
#ifndef MODEL_ACTOR_H
#define MODEL_ACTOR_H

struct actor {
	const char *name; /* as it is recorded and shown: "alice uid=1000" */
	const char *id;	  /* who it is for certain, whatever name it gave: "uid=1000" */
	const char *from; /* where the request came from: "uid=1000 pid=123", "127.0.0.1:4711" */
};

#endif
