"""`make client`: writes the generated part of clients/python anew. `--check` only says whether it is up to date."""

from __future__ import annotations

import os
import sys

# No server is asked; the settings only have to be complete.
UNUSED = {
    "MILLRACE_LOCAL": "1",
    "SECRET_KEY": "local-key-of-the-generator-which-protects-nothing-at-all",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
    "REDIS_URL": "redis://127.0.0.1:9/0",
}


def main(arguments: list[str]) -> int:
    import django

    os.environ |= UNUSED
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from deploy.client import schema, writing

    sources = writing.generate(schema.load())
    if "--check" in arguments:
        outdated = sources != writing.present(writing.PACKAGE)
        print("The client does not fit the schema: run `make client`." if outdated else "The client is up to date.")
        return int(outdated)
    writing.write(sources, writing.PACKAGE)
    print(f"{len(sources)} files in {writing.PACKAGE}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
