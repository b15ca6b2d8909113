"""Pages of templates: the list and the library, writing with one, changing one, its versions and labels."""
