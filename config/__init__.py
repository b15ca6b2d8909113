"""Composition of the product; the Celery application is loaded with Django so that `send_task` finds its broker."""

from workers.celery import app as celery_app

__all__ = ["celery_app"]
