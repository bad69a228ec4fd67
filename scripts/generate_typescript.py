"""Write the types of the TypeScript client out of the OpenAPI document: `make typescript`, and commit the result."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from app.main import create_app
from store.settings import Settings

PROJECT = Path(__file__).parents[1] / "client" / "typescript"
SCHEMA = PROJECT / "src" / "schema.ts"
GENERATOR = PROJECT / "node_modules" / ".bin" / "openapi-typescript"


def schema() -> str:
    """The types as the API has them now.

    Raises:
        FileNotFoundError: `npm ci` has not been run in the project.
        subprocess.CalledProcessError: the generator refused the document.
    """
    with TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.json"
        document.write_text(json.dumps(create_app(Settings(data_dir=Path(folder))).openapi()))
        made = Path(folder) / "schema.ts"
        subprocess.run([GENERATOR, document, "--output", made], check=True, stdout=subprocess.DEVNULL)
        return made.read_text()


def main() -> None:
    """Write the file."""
    try:
        SCHEMA.write_text(schema())
    except FileNotFoundError:
        sys.exit(f"{GENERATOR} is not there: run `npm ci` in {PROJECT} first.")
    print(f"{SCHEMA} is what the API says.")


if __name__ == "__main__":
    main()
