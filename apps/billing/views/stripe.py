"""Where Stripe's webhooks arrive. What proves them is the signature over the raw body, and nothing else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.billing.services import inbox
from apps.core import metrics
from apps.core.errors import MillraceError, PayloadTooLarge

# Several times the largest that Stripe sends.
LARGEST_BYTES = 1_048_576


@csrf_exempt
@require_POST
@never_cache
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Stores an event and answers 200, whatever it is about; what it means is worked out by a worker.

    Also invoice.created is answered at once: Stripe finalizes no invoice before that.
    """
    try:
        body = request.read(LARGEST_BYTES + 1)
        if len(body) > LARGEST_BYTES:
            raise PayloadTooLarge("An event is not that large.")
        is_new = inbox.take_in(body, request.headers.get("Stripe-Signature", ""))
    except MillraceError as error:
        metrics.STRIPE_REFUSED.inc()
        return JsonResponse(error.body(), status=error.status)
    return JsonResponse({"received": True, "new": is_new})
